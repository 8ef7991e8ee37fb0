"""What is deployed. One module for each thing a person would name; platform.py puts them together."""

APPS = (
    "test_app.TestApp",
    "graphwiki.GraphWiki",
)
"""Every application, as the module in charts/ and its Chart, which holds a WebApp as `app`. A new one adds a line."""
