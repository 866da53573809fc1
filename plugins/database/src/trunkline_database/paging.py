"""Keyset paging: a page begins behind the last record of the one before, however many were put in between.

``paging=keyset`` asks for it; ``meta.next_page`` then leads on, sent back as ``page``. Pages by offset shift under
inserts and cost the more the deeper they are (database-api 22.7).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from trunkline import json
from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.filters import And, Comparison, Literal, Node, Or
from trunkline_database.model import Column, has
from trunkline_database.plan import Order, Select, Target
from trunkline_database.store import Row

_BAD_CURSOR = "The value of 'page' is not a 'next_page' of this request."
_LONGEST_CURSOR = 16_384
# What has no order of its own, or none that a filter knows.
_UNORDERED = frozenset({"json", "array", "binary"})


@dataclass(frozen=True, slots=True)
class Keyset:
    """An order in which no two records are alike."""

    order: tuple[Order, ...]
    signature: str
    # Whether it is the engine's own order, in which it finds a place by the primary key.
    is_own: bool = False

    @classmethod
    def of(cls, target: Target) -> Keyset:
        """Complete the order asked for by the primary key; raises BadRequest where records would share a place."""
        if target.query.offset:
            raise BadRequest("With 'paging' as keyset there is no 'offset': send 'next_page' as 'page'.")
        is_own = not target.query.order and target.service.store.own_order
        order = {one.column: _settled(one) for one in target.order()}
        for column in target.table.primary_key:
            order.setdefault(column, Order(column))
        if not target.table.primary_key and not any(one.is_unique and not one.allow_null for one in order):
            raise BadRequest("With 'paging' as keyset, 'order' must have a unique field: the table has no primary key.")
        if unfit := next(
            (one.key for one in order if one.is_virtual or one.type in _UNORDERED or target.covers(one)), None
        ):
            raise BadRequest(f"With 'paging' as keyset, 'order' can not have the field '{unfit}'.")
        words = [(one.column.name, one.descending, one.nulls) for one in order.values()]
        signature = blake2b(repr((target.table.name, words)).encode(), digest_size=4).hexdigest()
        return cls(tuple(order.values()), signature, is_own)

    def applied(self, plan: Select, page: str) -> tuple[Select, tuple[Column, ...]]:
        """Let a plan begin behind a cursor; answers also the columns that are read only to make the next one."""
        if self.is_own:
            missing = tuple(one.column for one in self.order if not has(_columns(plan), one.column))
            last = tuple(self._values(page)) if page else None
            return replace(plan, order=(), fields=(*plan.fields, *missing), after=last), missing
        where = plan.where
        if page:
            after = _behind(self.order, self._values(page))
            where = after if where is None else And((where, after))
        extra = tuple(one.column for one in self.order if one.column not in plan.fields)
        return replace(plan, where=where, order=self.order, fields=(*plan.fields, *extra)), extra

    def cursor(self, row: Row) -> str:
        """Answer the cursor behind a record: opaque to clients, and harmless when made up, as its values are bound."""
        text = json.dumps([self.signature, [_plain(row[one.column.key]) for one in self.order]])
        return base64.urlsafe_b64encode(text).decode().rstrip("=")

    def _values(self, page: str) -> list[Any]:
        if len(page) > _LONGEST_CURSOR:
            raise BadRequest(_BAD_CURSOR)
        try:
            data = base64.b64decode(page + "=" * (-len(page) % 4), altchars=b"-_", validate=True)
            signature, values = json.loads(data)
        except (binascii.Error, BadRequest, TypeError, ValueError):
            raise BadRequest(_BAD_CURSOR) from None
        if signature != self.signature or not isinstance(values, list) or len(values) != len(self.order):
            raise BadRequest(_BAD_CURSOR)
        try:
            return [types.incoming(one.column, value) for one, value in zip(self.order, values, strict=True)]
        except BadRequest:
            raise BadRequest(_BAD_CURSOR) from None


def _columns(plan: Select) -> list[Column]:
    return [one for one in plan.fields if isinstance(one, Column)]


def _settled(one: Order) -> Order:
    """Say where NULLs stand: engines differ, and a cursor must know."""
    return replace(one, nulls=one.nulls or "last") if one.column.allow_null else replace(one, nulls=None)


def _plain(value: Any) -> Any:
    # As text, since a number would lose digits on its way through a parser.
    return str(value) if hasattr(value, "as_tuple") else value


def _behind(order: Sequence[Order], values: Sequence[Any]) -> Node:
    """Build the test for what comes behind a place: equal up to some column, and beyond in that one."""
    ways: list[Node] = []
    equal: list[Node] = []
    for one, value in zip(order, values, strict=True):
        beyond = _beyond(one, value)
        if beyond is not None:
            ways.append(And((*equal, beyond)) if equal else beyond)
        name = one.column.name
        equal.append(Comparison(name, "is null", None) if value is None else Comparison(name, "=", _bound(value)))
    if not ways:
        raise BadRequest(_BAD_CURSOR)
    return ways[0] if len(ways) == 1 else Or(tuple(ways))


def _beyond(one: Order, value: Any) -> Node | None:
    name = one.column.name
    if value is None:
        return None if one.nulls == "last" else Comparison(name, "is not null", None)
    further = Comparison(name, "<" if one.descending else ">", _bound(value))
    return Or((further, Comparison(name, "is null", None))) if one.nulls == "last" else further


def _bound(value: Any) -> Literal:
    return Literal(value, quoted=True)
