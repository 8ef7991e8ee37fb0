"""A small wiki in place of GraphWiki in the cluster of the tests: Markdown files, links, and a socket for each page.

It stands where the Dockerfile of the wiki has the application, and is run by the Dockerfile's own command.
"""

import os
import re
from html import escape
from pathlib import Path

from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse

PAGES = Path(os.environ["GRAPHWIKI_DATA_DIR"])
LINK = re.compile(r"\[\[([\w-]+)\]\]")
PAGE = """<!doctype html>
<title>{name}</title>
<main>{text}</main>
<ul id="said"></ul>
<script>
  const socket = new WebSocket("{socket}");
  let sent = 0;
  socket.onopen = () => setInterval(() => socket.send(`message ${{++sent}}`), 200);
  socket.onmessage = (event) => {{
    const item = document.createElement("li");
    item.textContent = event.data;
    document.getElementById("said").append(item);
  }};
</script>
"""

app = FastAPI()


@app.get("/")
def home(request: Request) -> RedirectResponse:
    return RedirectResponse(request.url_for("page", name="home"))


@app.get("/pages/{name}")
def page(request: Request, name: str) -> HTMLResponse:
    file = PAGES / f"{name}.md"
    text = escape(file.read_text("utf-8") if file.exists() else f"{name} is empty, as [[other]] is")
    linked = LINK.sub(lambda link: f'<a href="{request.url_for("page", name=link[1])}">{link[1]}</a>', text)
    socket = request.url_for("changes", name=name)
    return HTMLResponse(PAGE.format(name=name, text=linked, socket=socket))


@app.put("/pages/{name}")
async def write(request: Request, name: str) -> Response:
    (PAGES / f"{name}.md").write_bytes(await request.body())
    return Response(status_code=204)


@app.get("/visitor")
def visitor(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.client.host if request.client else "")


@app.websocket("/changes/{name}")
async def changes(socket: WebSocket, name: str) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(f"{name}: {await socket.receive_text()}")
    except WebSocketDisconnect:
        pass
