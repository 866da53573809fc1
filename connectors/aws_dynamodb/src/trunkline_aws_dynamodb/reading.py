"""Reading: a plan becomes requests whose pages are judged, ordered and cut here as far as DynamoDB does not."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, replace
from typing import Any

from trunkline.errors import BadRequest
from trunkline_aws_dynamodb.connection import Connection
from trunkline_aws_dynamodb.routes import Expression, Query, Route, key_of, place_of, route
from trunkline_aws_dynamodb.tables import DynamoTable
from trunkline_aws_dynamodb.values import Item, record_of, written
from trunkline_database.documents.evaluate import Evaluator
from trunkline_database.filters import fields_of
from trunkline_database.model import Column
from trunkline_database.plan import Select, is_aggregate

EVALUATOR = Evaluator()
_UNBOUNDED = Evaluator(most=sys.maxsize)
# Keys of one batch, and batches that are under way at once.
_BATCH, _AHEAD = 100, 8


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read for a plan, and the plan for what is left to be done here."""

    table: DynamoTable
    route: Route
    rest: Select
    names: tuple[str, ...] | None
    after: Item | None
    backwards: bool
    limit: int | None
    skipped: int

    @property
    def evaluator(self) -> Evaluator:
        """Who does the rest: within bounds, unless rows only pass through."""
        rest = self.rest
        passes = rest.where is None and not rest.order and is_plain(rest)
        return _UNBOUNDED if passes else EVALUATOR


def reading_of(plan: Select) -> Reading:
    """Work out what to read."""
    table = plan.table
    assert isinstance(table, DynamoTable)  # noqa: S101 - no other is described here
    found = route(table, plan.where)
    native, backwards = _native_order(table, plan, found)
    limit, skipped = None, 0
    if found.rest is None and is_plain(plan) and (native or not plan.order):
        skipped = plan.offset
        limit = None if plan.limit is None else plan.offset + plan.limit
    rest = replace(
        plan, where=found.rest, order=() if native else plan.order, offset=plan.offset - skipped, after=None
    )  # fmt: skip
    after = None
    if plan.after is not None:
        pairs = zip(table.primary_key, plan.after, strict=True)
        after = key_of(table, {column.name: written(column, value) for column, value in pairs})
    return Reading(table, found, rest, _names(plan, found), after, backwards, limit, skipped)


class Reader:
    """Reads of one account."""

    def __init__(self, connection: Connection) -> None:
        """Read through a connection."""
        self._connection = connection

    async def records(self, reading: Reading) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Read the records that are left to be judged, by real column names."""
        columns = {one.name: one for one in reading.table.columns if not one.is_open}
        async with contextlib.aclosing(self.items(reading)) as parts:
            async for items in parts:
                yield [record_of(one, columns) for one in items]

    async def items(self, reading: Reading) -> AsyncGenerator[list[Item], None]:
        """Read items as DynamoDB has them."""
        skipped, left = reading.skipped, reading.limit
        async with contextlib.aclosing(self._parts(reading)) as parts:
            async for items in parts:
                if left is not None:
                    items = items[:left]
                    left -= len(items)
                cut = min(skipped, len(items))
                skipped -= cut
                if cut < len(items):
                    yield items[cut:]
                if left == 0:
                    return

    async def counted(self, reading: Reading) -> int:
        """Count what a route brings."""
        found, number = reading.route, 0
        if found.keys is not None:
            async for items in self._fetched(reading, found.keys):
                number += len(items)
            return number
        for operation, arguments in self._requests(replace(reading, names=None)):
            arguments["Select"] = "COUNT"
            async for answer in self._connection.pages(operation, **arguments):
                number += int(answer["Count"])
        return number

    async def _parts(self, reading: Reading) -> AsyncGenerator[list[Item], None]:
        found, after = reading.route, reading.after
        if found.keys is not None:
            keys = found.keys
            if after is not None:
                keys = [one for one in keys if place_of(one) > place_of(after)]
            async with contextlib.aclosing(self._fetched(reading, keys)) as parts:
                async for items in parts:
                    yield items
            return
        for operation, arguments in self._requests(reading):
            if after is not None and not await self._begin(reading, arguments):
                continue
            async with contextlib.aclosing(self._connection.pages(operation, **arguments)) as answers:
                async for answer in answers:
                    if answer["Items"]:
                        yield answer["Items"]

    def _requests(self, reading: Reading) -> Iterable[tuple[str, dict[str, Any]]]:
        """Write the queries, or the scan."""
        found = reading.route
        for query in found.queries if found.queries is not None else [None]:
            expression = Expression()
            arguments: dict[str, Any] = {"TableName": reading.table.identity.name}
            if query is not None:
                conditions = [one.written(expression) for one in (query.hash, query.range) if one is not None]
                arguments["KeyConditionExpression"] = " AND ".join(conditions)
                arguments["ScanIndexForward"] = not reading.backwards
            if query is not None and query.index is not None:
                arguments["IndexName"] = query.index.name
            # An index of the whole table is always a little late.
            arguments["ConsistentRead"] = query is None or query.index is None or query.index.is_local
            if found.tests:
                arguments["FilterExpression"] = " AND ".join(one.written(expression) for one in found.tests)
            elif reading.limit is not None:
                arguments["Limit"] = max(1, reading.limit)
            yield (
                "query" if query is not None else "scan",
                {**arguments, **_projected(reading.names, expression), **expression.arguments()},
            )

    async def _begin(self, reading: Reading, arguments: dict[str, Any]) -> bool:
        """Let a request begin behind a key; says whether there is anything behind it."""
        after, found = reading.after, reading.route
        assert after is not None  # noqa: S101 - as was just asked
        if found.queries is None:
            arguments["ExclusiveStartKey"] = after
            return True
        query = _of(found.queries, arguments)
        if query.index is not None:
            answer = await self._connection.call(
                "get_item", TableName=reading.table.identity.name, Key=after, ConsistentRead=True
            )
            item = answer.get("Item", {})
            names = [name for name in (query.index.hash, query.index.range) if name is not None]
            if any(name not in item for name in names):
                raise BadRequest("The record behind which the page begins is gone. Begin anew.")
            arguments["ExclusiveStartKey"] = after | {name: item[name] for name in names}
            return True
        mine, its = place_of({"": query.hash.values[0]}), place_of({"": after[reading.table.hash]})
        if mine == its:
            arguments["ExclusiveStartKey"] = after
        return mine >= its

    async def _fetched(self, reading: Reading, keys: list[Item]) -> AsyncGenerator[list[Item], None]:
        """Fetch items by their keys, in the order of these."""
        batches = [keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH)]
        for start in range(0, len(batches), _AHEAD):
            some = batches[start : start + _AHEAD]
            for batch, items in zip(
                some, await asyncio.gather(*(self._batch(reading, one) for one in some)), strict=True
            ):
                by_key = {str(place_of(key_of(reading.table, one))): one for one in items}
                yield [found for key in batch if (found := by_key.get(str(place_of(key)))) is not None]

    async def _batch(self, reading: Reading, keys: list[Item]) -> list[Item]:
        name, expression = reading.table.identity.name, Expression()
        names = None if reading.names is None else tuple(dict.fromkeys((*reading.table.names, *reading.names)))
        asked = {"Keys": keys, "ConsistentRead": True, **_projected(names, expression), **expression.arguments()}
        if len(keys) == 1:
            del asked["Keys"]
            answer = await self._connection.call("get_item", TableName=name, Key=keys[0], **asked)
            return [answer["Item"]] if answer.get("Item") else []
        found: list[Item] = []
        async for answer in self._connection.until_done("batch_get_item", {name: asked}, "UnprocessedKeys"):
            found += answer["Responses"].get(name, [])
        return found


def is_plain(plan: Select) -> bool:
    """Say whether rows are records, each by itself."""
    return not plan.group and plan.per is None and not any(map(is_aggregate, plan.fields))


def _of(queries: list[Query], arguments: dict[str, Any]) -> Query:
    """Find the query that a request was written for: its first value is that of the partition."""
    first = arguments["ExpressionAttributeValues"][":0"]
    return next(one for one in queries if one.hash.values[0] == first)


def _projected(names: tuple[str, ...] | None, expression: Expression) -> dict[str, str]:
    return {} if names is None else {"ProjectionExpression": ", ".join(map(expression.name, names))}


def _names(plan: Select, found: Route) -> tuple[str, ...] | None:
    """List the attributes that are needed; None for all."""
    table = plan.table
    columns: list[Column] = []
    for one in plan.fields:
        columns += [one] if isinstance(one, Column) else [one.column] if one.column is not None else []
    columns += [one.column for one in plan.order if not one.column.is_aggregate]
    columns += [*plan.group, *([plan.per] if plan.per is not None else [])]
    columns += [table.by_real_name[name] for name in (fields_of(found.rest) if found.rest is not None else ())]
    if any(one.is_everything for one in columns):
        return None
    names = dict.fromkeys(one.name.partition(".")[0] if one.is_open else one.name for one in columns)
    return tuple(names) or tuple(one.name for one in table.primary_key)


def _native_order(table: DynamoTable, plan: Select, found: Route) -> tuple[bool, bool]:
    """Say whether the order is that of one query, and whether backwards."""
    if not plan.order or not is_plain(plan) or found.queries is None or len(found.queries) != 1:
        return False, False
    (query,) = found.queries
    hash_, range_ = (table.hash, table.range) if query.index is None else (query.index.hash, query.index.range)
    order = [one for one in plan.order if one.column.name != hash_]
    # What comes behind the range is alike nowhere in a table's own partition.
    is_own = query.index is None and order[1:] == []
    if not order or order[0].column.name != range_ or not (is_own or len(order) == 1) or order[0].column.is_open:
        return False, False
    return True, order[0].descending
