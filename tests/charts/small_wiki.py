"""A FastAPI app that gives out its own address, as the wiki does; tests/charts/test_proxies.py starts it."""

from fastapi import FastAPI, Request

app = FastAPI()


@app.get("/pages/")
def pages(request: Request) -> dict[str, str]:
    """Where the app believes to be, and who it believes to be asked by; without the last slash it redirects."""
    return {"here": str(request.url_for("pages")), "visitor": request.client.host if request.client else ""}
