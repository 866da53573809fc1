"""A remote API for the tests of what hands calls on; run with a port, it serves there."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import sys

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_counted = itertools.count(1)


async def echo(request: Request) -> Response:
    """Answer what came."""
    body = await request.body()
    return JSONResponse(
        {
            "method": request.method,
            "path": request.scope["raw_path"].partition(b"?")[0].decode("ascii"),
            "query": request.scope["query_string"].decode("ascii"),
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers.raw],
            "body": body.decode("latin-1"),
        },
        201 if request.method == "POST" else 200,
        {"X-Remote": "yes", "Set-Cookie": "a=b", "Access-Control-Allow-Origin": "*", "ETag": '"1"'},
    )


async def sink(request: Request) -> Response:
    """Answer length and digest of what came."""
    found, length = hashlib.sha256(), 0
    async for piece in request.stream():
        found.update(piece)
        length += len(piece)
    return JSONResponse([length, found.hexdigest()])


async def source(request: Request) -> Response:
    """Answer as many bytes as wanted, in pieces."""
    from trunkline_files.testing.streaming import blocks

    return StreamingResponse(blocks(int(request.query_params["size"])), media_type="application/x-bytes")


async def count(_request: Request) -> Response:
    """Answer another number each time."""
    return JSONResponse({"count": next(_counted)})


async def status(request: Request) -> Response:
    """Answer with a status."""
    return PlainTextResponse("said so", int(request.path_params["code"]), {"Retry-After": "7"})


async def to(request: Request) -> Response:
    """Send the client on, once all has come: who answers sooner may cut the connection before the answer is read."""
    async for _piece in request.stream():
        pass
    return RedirectResponse(request.query_params["url"], int(request.query_params.get("code", 302)))


async def links(request: Request) -> Response:
    """Answer text with links to itself, in small pieces."""
    base = f"http://{request.headers['host']}"
    text = f'{{"a": "{base}/x", "b": "{base}", "other": "{base}0/x"}}'
    pieces = (text[start : start + 5].encode() for start in range(0, len(text), 5))
    return StreamingResponse(pieces, media_type="application/json")


async def slow(_request: Request) -> Response:
    """Answer late."""
    await asyncio.sleep(30)
    return Response()


async def nothing(_request: Request) -> Response:
    """Answer without content."""
    return Response(status_code=204)


app = Starlette(
    routes=[
        Route("/sink", sink, methods=VERBS), Route("/source", source), Route("/count", count), Route("/slow", slow),
        Route("/status/{code:int}", status, methods=VERBS), Route("/to", to, methods=VERBS), Route("/links", links),
        Route("/nothing", nothing, methods=VERBS), Route("/echo/{rest:path}", echo, methods=VERBS),
        Route("/", echo, methods=VERBS), Route("/echo", echo, methods=VERBS),
    ]
)  # fmt: skip

if __name__ == "__main__":
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    asyncio.run(serve(app, config))  # type: ignore[arg-type]
