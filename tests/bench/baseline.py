"""What we measure against: a hand-written Starlette route over sqlite3, with nothing round it.

It has no authentication, no roles, no filters, no paging: it is what somebody would write for this one table, as lean
as Starlette and sqlite3 allow. It even queries on the event loop, which spares it the hop to a thread that a server
with more than one client should make.
"""

from __future__ import annotations

import os
import sqlite3

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_database = sqlite3.connect(os.environ["BENCH_DATABASE"])
_COLUMNS = (
    "id", "first_name", "last_name", "email", "age", "balance", "score", "is_active", "country_code", "born",
    "created_at", "notes",
)  # fmt: skip
_SELECT = f"select {', '.join(_COLUMNS)} from contact"
_ACTIVE = _COLUMNS.index("is_active")


def _record(row: tuple[object, ...]) -> dict[str, object]:
    record = dict(zip(_COLUMNS, row))  # noqa: B905 - the lengths are known to be equal
    record["is_active"] = bool(row[_ACTIVE])
    return record


async def one(request: Request) -> Response:
    """Answer one row by id."""
    row = _database.execute(f"{_SELECT} where id = ?", (int(request.path_params["id"]),)).fetchone()
    if row is None:
        return Response(b'{"error":"not found"}', 404, media_type="application/json")
    return Response(orjson.dumps(_record(row)), media_type="application/json")


async def many(request: Request) -> Response:
    """Answer a page of rows."""
    limit = int(request.query_params.get("limit", "25"))
    rows = _database.execute(f"{_SELECT} order by id limit ?", (limit,)).fetchall()
    return Response(orjson.dumps({"resource": [_record(row) for row in rows]}), media_type="application/json")


app = Starlette(routes=[Route("/contact", many), Route("/contact/{id}", one)])
