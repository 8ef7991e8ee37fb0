"""GraphWiki, the wiki itself."""

from cdk8s import Chart
from constructs import Construct

from charts.environments import Environment
from charts.web_app import Range, Resources, Volume, WebApp

DATA_DIR = "/data/pages"


class GraphWiki(Chart):
    """A FastAPI app under uvicorn; pages are Markdown files on a volume, the link graph lives in the process.

    The graph watches the files and no other process may change them, so there is exactly one pod.
    """

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, "graphwiki")
        self.app = WebApp(
            self,
            "graphwiki",
            namespace="graphwiki",
            host=environment.host("wiki"),
            image=environment.graphwiki_image,
            port=8000,
            resources=Resources(cpu=Range("50m", "500m"), memory=Range("64Mi", "256Mi")),
            environment={"GRAPHWIKI_DATA_DIR": DATA_DIR, "GRAPHWIKI_DEBUG": "false"},
            volume=Volume("graphwiki-data", size=environment.wiki_storage, path=DATA_DIR),
        )
