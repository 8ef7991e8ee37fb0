"""GraphWiki, the wiki itself."""

from constructs import Construct

from charts.shapes import App, Container, EncryptedSecret, Pod, Priority, Range, Volume, WebApp, proxies
from facts.environments import Environment

DATA_DIR = "/data/pages"


class GraphWiki(App):
    """A FastAPI app under uvicorn; pages are Markdown files on a volume, the link graph lives in the process.

    The graph watches the files and no other process may change them, so there is exactly one pod. A GraphWiki that
    shares its graph leaves out `local_state`; with a shared volume it can then have several.
    """

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, "graphwiki", environment)
        pages = Volume(self, "graphwiki-data", environment.tier.of(small="1Gi", medium="5Gi", full="20Gi"))
        keys = EncryptedSecret(self, "graphwiki-keys", ["session"])
        wiki = Container(
            "graphwiki",
            self.image(),
            port=8000,
            cpu=Range("50m", "500m"),
            memory=Range("64Mi", "256Mi"),
            variables={
                "GRAPHWIKI_DATA_DIR": DATA_DIR,
                "GRAPHWIKI_DEBUG": "false",
                "GRAPHWIKI_SESSION_KEY": keys.key("session"),
                # uvicorn's own variable: https://uvicorn.dev/deployment/
                "FORWARDED_ALLOW_IPS": ",".join(proxies(environment)),
            },
            mounts={DATA_DIR: pages},
        )
        WebApp(self, host="wiki", pod=Pod(wiki, priority=Priority.ESSENTIAL), local_state=True)
