"""What file services are measured against: a hand-written route over fsspec, with one API key and no other check."""

from __future__ import annotations

import os
from collections.abc import Iterator

from fsspec.implementations.local import LocalFileSystem
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

_KEYS = {os.environ["BENCH_KEY"]}
_FOLDER = os.environ["BENCH_FOLDER"]
_FILES = LocalFileSystem()
_PIECE = 1 << 20


def _pieces(path: str) -> Iterator[bytes]:
    with _FILES.open(path, "rb") as file:
        while piece := file.read(_PIECE):
            yield piece


async def _file(request: Request) -> Response:
    if request.headers.get("x-dreamfactory-api-key") not in _KEYS:
        return Response(status_code=401)
    path = f"{_FOLDER}/{request.path_params['name']}"
    if request.method == "GET":
        length = str(_FILES.size(path))
        return StreamingResponse(_pieces(path), headers={"Content-Length": length})
    with _FILES.open(path, "wb") as file:
        # In the event loop: that blocks others, and is as fast as it gets for one.
        async for piece in request.stream():
            file.write(piece)
    return Response(status_code=201)


app = Starlette(routes=[Route("/files/{name}", _file, methods=["GET", "PUT"])])
