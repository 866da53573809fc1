"""Writing: each write of an item has a condition, so that nothing is overwritten, made or lost by accident."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from abc import ABC
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from trunkline.errors import BadRequest, Conflict, Forbidden, Unavailable
from trunkline_aws_dynamodb.connection import ConditionFailed, Connection
from trunkline_aws_dynamodb.reading import EVALUATOR, Reader, reading_of
from trunkline_aws_dynamodb.routes import Expression, key_of, route
from trunkline_aws_dynamodb.tables import DECLARATIONS, DynamoTable
from trunkline_aws_dynamodb.values import Item, record_of, written
from trunkline_database import types
from trunkline_database.access import DENIED
from trunkline_database.documents.compensating import CompensatingStore
from trunkline_database.documents.evaluate import MOST_EXAMINED
from trunkline_database.documents.values import at, now
from trunkline_database.filters import Function, Node, fields_of
from trunkline_database.model import EVERYTHING, Column, Table
from trunkline_database.plan import Select
from trunkline_database.store import Arithmetic, Row

T = TypeVar("T")
R = TypeVar("R")
# Items written at the same time, items of one transaction and of one batch, and how often one is looked at again.
_AT_ONCE, _TOGETHER, _BATCH, _ATTEMPTS = 32, 100, 25, 100


class Writing(CompensatingStore, ABC):
    """The half of a store that writes."""

    checks = True

    def __init__(self, connection: Connection) -> None:
        """Write through a connection."""
        self.connection = connection
        self.reader = Reader(connection)

    # Inserting.

    async def insert(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        returning: Sequence[Column],
        check: Node | None = None,
    ) -> list[Row]:
        """Insert rows, all or none: up to a hundred in one transaction of DynamoDB's, more are taken out again."""
        own = _own(table)
        items = [await self._completed(own, row) for row in await self._numbered(own, rows)]
        columns = _columns(own)
        records = [record_of(one, columns) for one in items]
        if check is not None and not all(EVALUATOR.matches(own, check, one) for one in records):
            raise Forbidden(DENIED)
        keys = [key_of(own, one) for one in items]
        if any(one in keys[:place] for place, one in enumerate(keys)):
            raise _duplicate()
        made: list[Item] = []
        for start in range(0, len(items), _TOGETHER):
            some = items[start : start + _TOGETHER]
            try:
                await self._put(own, some)
            except BaseException as error:
                await _at_once([key_of(own, one) for one in made], lambda key: self._delete(own, key, {}))
                if isinstance(error, ConditionFailed):
                    raise _duplicate() from error
                raise
            made += some
        return [EVALUATOR.row(returning, one) for one in records]

    async def _put(self, table: DynamoTable, items: Sequence[Item]) -> None:
        expression = Expression()
        absent = f"attribute_not_exists({expression.name(table.hash)})"
        puts = [
            {"TableName": table.identity.name, "Item": one, "ConditionExpression": absent, **expression.arguments()}
            for one in items
        ]
        if len(puts) == 1:
            await self.connection.call("put_item", **puts[0])
        else:
            await self.connection.call("transact_write_items", TransactItems=[{"Put": one} for one in puts])

    async def _numbered(self, table: DynamoTable, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Give numbers to the rows of a table that numbers them."""
        found = [dict(one) for one in rows]
        for column in table.columns:
            if not column.auto_increment:
                continue
            chosen = [int(one[column.name]) for one in found if one.get(column.name) is not None]
            if chosen:
                await self._pass_by(table, max(chosen))
            free = [one for one in found if one.get(column.name) is None]
            if free:
                last = await self._take(table, len(free))
                for number, one in enumerate(free, last - len(free) + 1):
                    one[column.name] = number
        return found

    async def _take(self, table: DynamoTable, number: int) -> int:
        """Move the number of the last row on, and answer it."""
        answer = await self.connection.call(
            "update_item", TableName=DECLARATIONS, Key={"name": {"S": table.identity.name}},
            UpdateExpression="ADD #0 :0", ExpressionAttributeNames={"#0": "last"},
            ExpressionAttributeValues={":0": {"N": str(number)}}, ReturnValues="UPDATED_NEW",
        )  # fmt: skip
        return int(answer["Attributes"]["last"]["N"])

    async def _pass_by(self, table: DynamoTable, number: int) -> None:
        """Give out no number up to this one, which somebody has chosen."""
        with contextlib.suppress(ConditionFailed):
            await self.connection.call(
                "update_item", TableName=DECLARATIONS, Key={"name": {"S": table.identity.name}},
                UpdateExpression="SET #0 = :0", ConditionExpression="attribute_not_exists(#0) OR #0 < :0",
                ExpressionAttributeNames={"#0": "last"}, ExpressionAttributeValues={":0": {"N": str(number)}},
            )  # fmt: skip

    async def _completed(self, table: DynamoTable, row: dict[str, Any]) -> Item:
        """Fill in defaults and functions, and answer the item."""
        for column in table.stored:
            if column.name not in row and column.default is not None:
                row[column.name] = column.default
        item: Item = {}
        for name, value in row.items():
            column = table.by_real_name[name]
            item[name] = written(column, now(column, value) if isinstance(value, Function) else value)
        for column in table.primary_key:
            if item.get(column.name, {"NULL": True}) in ({"NULL": True}, {"S": ""}, {"B": b""}):
                raise BadRequest(f"Required field '{column.key}' can not be NULL.", context={"sqlstate": "23502"})
        return item

    # Changing and deleting.

    async def update(
        self, table: Table, where: Node | None, values: Mapping[str, Any], check: Node | None = None
    ) -> int:
        """Change the rows that match; raises Forbidden before any is changed that would not pass the check."""
        own = _own(table)
        for name in values:
            if name in own.names:
                raise BadRequest(f"Field '{own.by_real_name[name].key}' is part of the key and can not be changed.")
        sources = [one.column.name for one in values.values() if isinstance(one, Arithmetic)]
        if not sources and check is None and (keys := _keys(own, where)) is not None:
            return sum(_raised(await _at_once(keys, lambda key: self._update(own, key, values, {}))))
        looked_at = [*(fields_of(check) if check is not None else ()), *sources]
        held = await self._held(own, where, looked_at)
        if check is not None:
            holds, columns = EVALUATOR.judge(own, check), _columns(own)
            for one in held:
                new = one | {
                    name: written(own.by_real_name[name], _new(own, one, name, value)) for name, value in values.items()
                }
                if holds(record_of(new, columns)) is not True:
                    raise Forbidden(DENIED)

        async def step(item: Item) -> bool:
            new = {name: _new(own, item, name, value) for name, value in values.items()}
            return await self._update(own, key_of(own, item), new, _guards(own, item, where, looked_at))

        return await self._each(own, where, looked_at, held, step)

    async def replace(self, table: Table, where: Node | None, values: Mapping[str, Any]) -> int:
        """Give the rows that match these values and no others but their keys."""
        own = _own(table)
        held = await self._held(own, where, ())

        async def step(item: Item) -> bool:
            new = key_of(own, item)
            for name, value in values.items():
                if name not in own.names:
                    new[name] = written(own.by_real_name[name], _new(own, item, name, value))
            expression = Expression()
            condition = _condition(own, expression, _guards(own, item, where, ()))
            request = {"TableName": own.identity.name, "Item": new, "ConditionExpression": condition}
            return await self._done("put_item", {**request, **expression.arguments()})

        return await self._each(own, where, (), held, step)

    async def delete(self, table: Table, where: Node | None) -> int:
        """Delete the rows that match; all of them in batches, without being looked at."""
        own = _own(table)
        if where is None:
            return await self._empty(own)
        if (keys := _keys(own, where)) is not None:
            return sum(_raised(await _at_once(keys, lambda key: self._delete(own, key, {}))))
        held = await self._held(own, where, ())
        return await self._each(
            own, where, (), held, lambda one: self._delete(own, key_of(own, one), _guards(own, one, where, ()))
        )

    async def _empty(self, table: DynamoTable) -> int:
        number, name = 0, table.identity.name
        async for items in self.reader.items(reading_of(Select(table, table.primary_key))):
            for start in range(0, len(items), _BATCH):
                some = [{"DeleteRequest": {"Key": key_of(table, one)}} for one in items[start : start + _BATCH]]
                async for _ in self.connection.until_done("batch_write_item", {name: some}, "UnprocessedItems"):
                    pass
            number += len(items)
        return number

    async def _each(
        self, table: DynamoTable, where: Node | None, looked_at: Iterable[str], held: list[Item],
        step: Callable[[Item], Awaitable[bool]],
    ) -> int:  # fmt: skip
        """Write rows that were read; those that have changed meanwhile are looked at again, by their keys."""
        number, looked_at, holds = 0, list(looked_at), EVALUATOR.judge(table, where)
        columns = _columns(table)
        for _ in range(_ATTEMPTS):
            if not held:
                return number
            done = _raised(await _at_once(held, step))
            number += sum(done)
            missed = [key_of(table, one) for one, is_done in zip(held, done, strict=True) if not is_done]
            found = await _at_once(missed, lambda key: self._read(table, key))
            held = [one for one in _raised(found) if one is not None and holds(record_of(one, columns)) is True]
            if held:
                await asyncio.sleep(0.01 * random.random())  # noqa: S311 - so that others get their turn
        raise Unavailable("The database is busy. Try again.", headers={"Retry-After": "1"})

    async def _read(self, table: DynamoTable, key: Item) -> Item | None:
        answer = await self.connection.call("get_item", TableName=table.identity.name, Key=key, ConsistentRead=True)
        return answer.get("Item") or None

    async def _held(self, table: DynamoTable, where: Node | None, more: Iterable[str]) -> list[Item]:
        """Read the rows that match: their keys, and what the condition and others look at."""
        names = [*(fields_of(where) if where is not None else ()), *more]
        columns = dict.fromkeys((*table.primary_key, *(table.by_real_name[name] for name in names)))
        return [one async for one in self._items(table, Select(table, tuple(columns), where))]

    async def _items(self, table: DynamoTable, plan: Select) -> AsyncGenerator[Item, None]:
        """Read items that match; raises BadRequest for more than are examined."""
        reading, number, columns = reading_of(plan), 0, _columns(table)
        rest = reading.rest.where
        holds = EVALUATOR.judge(table, rest)
        async with contextlib.aclosing(self.reader.items(reading)) as parts:
            async for items in parts:
                number += len(items)
                if number > MOST_EXAMINED:
                    raise BadRequest(
                        f"More than {MOST_EXAMINED} records would have to be examined or changed. Narrow the filter."
                    )
                for one in items:
                    if rest is None or holds(record_of(one, columns)) is True:
                        yield one

    async def _update(
        self, table: DynamoTable, key: Item, values: Mapping[str, Any], guards: Mapping[str, Any]
    ) -> bool:
        """Change one item if it is still as it was read, or at least there; says whether it was."""
        expression, changes = Expression(), []
        for name, value in values.items():
            column = table.by_real_name[name]
            value = now(column, value) if isinstance(value, Function) else value
            changes.append(f"{expression.path(column)} = {expression.value(written(column, value))}")
        condition = _condition(table, expression, guards)
        request = {
            "TableName": table.identity.name, "Key": key, "UpdateExpression": f"SET {', '.join(changes)}",
            "ConditionExpression": condition,
        }  # fmt: skip
        return await self._done("update_item", {**request, **expression.arguments()})

    async def _delete(self, table: DynamoTable, key: Item, guards: Mapping[str, Any]) -> bool:
        expression = Expression()
        condition = _condition(table, expression, guards)
        request = {"TableName": table.identity.name, "Key": key, "ConditionExpression": condition}
        return await self._done("delete_item", {**request, **expression.arguments()})

    async def _done(self, operation: str, request: dict[str, Any]) -> bool:
        try:
            await self.connection.call(operation, **request)
        except ConditionFailed:
            return False
        return True

    # Undoing.

    async def keep(self, table: Table, where: Node | None) -> list[Any]:
        """Read the items that match, whole."""
        own = _own(table)
        fields = (EVERYTHING,)
        return [one async for one in self._items(own, Select(own, fields, where))]

    async def put_back(self, table: Table, kept: Sequence[Any]) -> None:
        """Store items as they were kept, whatever has become of them."""
        name = table.identity.name
        _raised(await _at_once(kept, lambda one: self.connection.call("put_item", TableName=name, Item=one)))

    async def take_out(self, table: Table, rows: Sequence[Row]) -> None:
        """Delete items that were inserted."""
        own = _own(table)
        keys = [{one.name: written(one, row[one.key]) for one in own.primary_key} for row in rows]
        _raised(await _at_once(keys, lambda key: self._delete(own, key_of(own, key), {})))


def _own(table: Table) -> DynamoTable:
    assert isinstance(table, DynamoTable)  # noqa: S101 - no other is described here
    return table


def _columns(table: DynamoTable) -> dict[str, Column]:
    return {one.name: one for one in table.columns if not one.is_open}


def _keys(table: DynamoTable, where: Node | None) -> list[Item] | None:
    """List the keys of rows where a condition is nothing but these."""
    if where is None or not fields_of(where) <= set(table.names):
        return None
    found = route(table, where)
    return found.keys if found.keys is not None and found.rest is None else None


def _guards(table: DynamoTable, item: Item, where: Node | None, more: Iterable[str]) -> dict[str, Any]:
    """Answer what must still be so when an item is written: the attributes that were looked at."""
    names = [*(fields_of(where) if where is not None else ()), *more]
    columns = [table.by_real_name[name] for name in names]
    tops = dict.fromkeys(one.name.partition(".")[0] if one.is_open else one.name for one in columns)
    return {name: item.get(name) for name in tops if name not in table.names}


def _condition(table: DynamoTable, expression: Expression, guards: Mapping[str, Any]) -> str:
    conditions = [f"attribute_exists({expression.name(table.hash)})"]
    for name, value in guards.items():
        place = expression.name(name)
        conditions.append(f"attribute_not_exists({place})" if value is None else f"{place} = {expression.value(value)}")
    return " AND ".join(conditions)


def _new(table: DynamoTable, item: Item, name: str, value: Any) -> Any:
    """Answer the value that an expression has for an item."""
    column = table.by_real_name[name]
    if isinstance(value, Function):
        return now(column, value)
    if not isinstance(value, Arithmetic):
        return value
    stored = at(record_of(item, _columns(table)), value.column)
    return None if stored is None else _calculated(column, value, stored)


def _calculated(column: Column, value: Arithmetic, stored: Any) -> Any:
    number: Any = value.number
    if not isinstance(stored, int | float | Decimal) or isinstance(stored, bool):
        raise BadRequest(f"Field '{value.column.key}' is no number.")
    if isinstance(stored, Decimal) or (isinstance(number, float) and not isinstance(stored, float)):
        stored, number = Decimal(str(stored)), Decimal(str(number))
    try:
        result: Any = {
            "+": lambda: stored + number, "-": lambda: stored - number, "*": lambda: stored * number,
            "/": lambda: stored / number,
        }[value.operator]()  # fmt: skip
    except ArithmeticError:
        raise BadRequest("A number can not be divided by zero.", context={"sqlstate": "22012"}) from None
    return types.stored(column, math.trunc(result) if column.type in types.INTEGERS else result)


def _duplicate() -> Conflict:
    return Conflict("A record with this value exists already.", context={"sqlstate": "23505"})


async def _at_once(items: Sequence[T], step: Callable[[T], Awaitable[R]]) -> list[R | BaseException]:
    """Take a step for each of many, some at the same time; answers results and what was raised, in order."""
    done: list[R | BaseException] = []
    for start in range(0, len(items), _AT_ONCE):
        done += await asyncio.gather(*map(step, items[start : start + _AT_ONCE]), return_exceptions=True)
    return done


def _raised(done: list[R | BaseException]) -> list[R]:
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return done  # type: ignore[return-value]  # as was just seen
