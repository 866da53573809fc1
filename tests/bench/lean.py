"""What we measure against on PostgreSQL: a hand-written Starlette service over a raw asyncpg pool, as lean as it gets.

It has one API key in a dictionary and one row filter in its statements; it checks nothing else and knows one table.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_KEYS = {os.environ["BENCH_KEY"]: "reader"}
_COLUMNS = (
    "id, company_id, first_name, last_name, email, age, balance, score, is_active, country_code, born, created_at,"
    " notes"
)
_WRITTEN = ("company_id", "first_name", "last_name", "email", "age", "balance", "is_active")
_INSERT = (
    f"insert into contact ({', '.join(_WRITTEN)}) values ($1, $2, $3, $4, $5, $6::float8::numeric, $7) returning id"
)
_INSERT_MANY = (
    f"insert into contact ({', '.join(_WRITTEN)}) select * from"
    " unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::int[], $6::float8[], $7::bool[]) returning id"
)
_pool: asyncpg.Pool


@asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[None]:
    global _pool
    async with asyncpg.create_pool(os.environ["BENCH_DATABASE"], min_size=16, max_size=16) as _pool:
        yield


def _allowed(request: Request) -> bool:
    return request.headers.get("x-dreamfactory-api-key") in _KEYS


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content, default=str), media_type="application/json")


_REFUSED = Response(b'{"error":"not allowed"}', 401, media_type="application/json")


async def one(request: Request) -> Response:
    """Answer one record by id, or change it."""
    if not _allowed(request):
        return _REFUSED
    key = int(request.path_params["id"])
    if request.method == "PATCH":
        body = orjson.loads(await request.body())
        names = [name for name in body if name in _WRITTEN]
        changes = ", ".join(f"{name} = ${index}" for index, name in enumerate(names, 2))
        statement = f"update contact set {changes} where id = $1 and is_active returning id"
        row = await _pool.fetchrow(statement, key, *(body[name] for name in names))
    else:
        row = await _pool.fetchrow(f"select {_COLUMNS} from contact where id = $1 and is_active", key)
    return _json(dict(row)) if row is not None else Response(b'{"error":"not found"}', 404)


async def many(request: Request) -> Response:
    """Answer a page, with the count or with each contact's company when asked."""
    if not _allowed(request):
        return _REFUSED
    if request.method == "POST":
        return await _create(request)
    limit = int(request.query_params.get("limit", "25"))
    older = int(request.query_params.get("older", "0"))
    where = "where is_active and age > $1"
    if "company" in request.query_params:
        columns = ", ".join(f"c.{one}" for one in _COLUMNS.split(", "))
        rows = await _pool.fetch(
            f"select {columns}, o.id as o_id, o.name as o_name, o.city as o_city from contact c"
            " left join company o on o.id = c.company_id where c.is_active and c.age > $1 order by c.id limit $2",
            older, limit,
        )  # fmt: skip
        records = []
        for row in rows:
            record = dict(row)
            record["company"] = {name: record.pop(f"o_{name}") for name in ("id", "name", "city")}
            records.append(record)
    else:
        rows = await _pool.fetch(f"select {_COLUMNS} from contact {where} order by id limit $2", older, limit)
        records = list(map(dict, rows))
    content: dict[str, Any] = {"resource": records}
    if "count" in request.query_params:
        content["count"] = await _pool.fetchval(f"select count(*) from contact {where}", older)
    return _json(content)


async def _create(request: Request) -> Response:
    records = orjson.loads(await request.body())["resource"]
    many = [tuple(record.get(name) for name in _WRITTEN) for record in records]
    if len(many) == 1:
        return _json({"resource": [dict(await _pool.fetchrow(_INSERT, *many[0]))]})
    return _json({"resource": list(map(dict, await _pool.fetch(_INSERT_MANY, *map(list, zip(*many, strict=True)))))})


app = Starlette(
    routes=[
        Route("/contact", many, methods=["GET", "POST"]),
        Route("/contact/{id}", one, methods=["GET", "PATCH"]),
    ],
    lifespan=_lifespan,
)
