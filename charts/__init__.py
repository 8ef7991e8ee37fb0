"""What is deployed. One module for each thing a person would name; platform.py puts them together."""

APPS = (
    "test_app.TestApp",
    "graphwiki.GraphWiki",
)
"""Every application, as the module in charts/ and its Chart, which holds a WebApp as `app`. A new one adds a line."""


def app_name(entry: str) -> str:
    """What an application of APPS is called outside Python, after its module: `test-app`, of test_app.TestApp."""
    return entry.partition(".")[0].replace("_", "-")
