"""GraphWiki, the wiki itself."""

from cdk8s import Chart
from constructs import Construct

from charts.environments import Environment
from charts.images import image
from charts.priorities import Priority
from charts.resources import Range, Resources
from charts.web_app import Volume, WebApp, proxies

DATA_DIR = "/data/pages"


class GraphWiki(Chart):
    """A FastAPI app under uvicorn; pages are Markdown files on a volume, the link graph lives in the process.

    The graph watches the files and no other process may change them, so there is exactly one pod. A GraphWiki that
    shares its graph leaves out `local_state`; with a ReadWriteMany volume it can then have several.
    """

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, "graphwiki")
        self.app = WebApp(
            self,
            "graphwiki",
            environment,
            namespace="graphwiki",
            host="wiki",
            image=image(environment, "graphwiki"),
            port=8000,
            resources=Resources(cpu=Range("50m", "500m"), memory=Range("64Mi", "256Mi")),
            replicas=environment.wiki_replicas,
            variables={
                "GRAPHWIKI_DATA_DIR": DATA_DIR,
                "GRAPHWIKI_DEBUG": "false",
                # uvicorn's own variable: https://uvicorn.dev/deployment/
                "FORWARDED_ALLOW_IPS": ",".join(proxies(environment)),
            },
            volume=Volume("graphwiki-data", environment.wiki_storage, path=DATA_DIR),
            local_state=True,
            priority=Priority.ESSENTIAL,
        )
