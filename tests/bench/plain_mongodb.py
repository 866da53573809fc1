"""What the service of MongoDB is measured against: a hand-written route over the same driver, with one API key."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator

import orjson
from bson import ObjectId
from pymongo import AsyncMongoClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_KEYS = {os.environ["BENCH_KEY"]}
_SERVER = json.loads(os.environ["BENCH_MONGODB"])


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with AsyncMongoClient(_SERVER["host"], _SERVER["port"]) as client:
        app.state.documents = client[_SERVER["database"]]["measure"]
        yield


def _plain(value: object) -> object:
    if isinstance(value, ObjectId):
        return str(value)
    # Dates in the form that clients of the service get.
    return {"$date": f"{value.isoformat()}+00:00"}  # type: ignore[attr-defined]  # nothing else is in there


def _answer(content: object) -> Response:
    data = orjson.dumps(content, _plain, orjson.OPT_PASSTHROUGH_DATETIME)
    return Response(data, media_type="application/json")


async def _one(request: Request) -> Response:
    if request.headers.get("x-dreamfactory-api-key") not in _KEYS:
        return Response(status_code=401)
    found = await request.app.state.documents.find_one({"_id": ObjectId(request.path_params["id"])})
    return _answer(found) if found is not None else Response(status_code=404)


async def _several(request: Request) -> Response:
    if request.headers.get("x-dreamfactory-api-key") not in _KEYS:
        return Response(status_code=401)
    limit = min(int(request.query_params.get("limit", "1000")), 1000)
    found = await request.app.state.documents.find({}, sort=[("_id", 1)], limit=limit).to_list()
    return _answer({"resource": found})


app = Starlette(routes=[Route("/measure", _several), Route("/measure/{id}", _one)], lifespan=_lifespan)
