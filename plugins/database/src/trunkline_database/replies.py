"""What writes answer, and small things that all of them need (database-api 9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.errors import BadRequest
from trunkline_database import related, shape
from trunkline_database.filter_nodes import UNPARSABLE, BadFilter
from trunkline_database.model import Column
from trunkline_database.params import NO_RECORDS, Body
from trunkline_database.plan import Target
from trunkline_database.reads import by_keys
from trunkline_database.store import Row

SUCCESS = {"success": True}
# A list of keys of several columns becomes a longer statement than one of numbers.
_MOST_WIDE_KEYS = 200


class Reply:
    """What a write answers: keys only, unless fields or related records are asked for (database-api 9.2)."""

    def __init__(self, target: Target) -> None:
        """Note what is asked for, before anything is written."""
        self.target = target
        self.columns = target.columns("key")
        self.relations: list[related.Wanted] = []

    @classmethod
    async def of(cls, target: Target) -> Reply:
        """Resolve what is asked for; raises BadRequest for unknown fields while nothing is written yet."""
        reply = cls(target)
        reply.relations = await related.wanted(target)
        return reply

    @property
    def is_key(self) -> bool:
        """Say whether the key is all that is asked for."""
        return not self.relations and set(self.columns) <= set(self.target.identity)

    async def rows(self, keys: Sequence[tuple[Any, ...]]) -> list[Row]:
        """Answer records by their keys, in order, read back as far as more than the key is wanted."""
        identity = self.target.identity
        if self.is_key:
            named = [dict(zip((column.key for column in identity), key, strict=True)) for key in keys]
            shown = [shape.only(self.columns, row) for row in named]
            self.target.seen(shown)
            return shown
        store = self.target.service.store
        columns = related.with_links(self.columns, self.relations)
        found = await by_keys(self.target, store, list(dict.fromkeys(keys)), columns)
        if self.relations:
            await related.attach(store, list(found.values()), self.relations)
        self.target.seen({id(row): row for row in found.values()}.values())
        return [found[key] for key in keys if key in found]

    def key_of(self, row: Row) -> tuple[Any, ...]:
        """Answer the key of a row."""
        return tuple(row[column.key] for column in self.target.identity)


def parts(target: Target, keys: list[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    """Cut a list of keys into parts that fit into one statement each; keys of several columns are costlier."""
    width = len(keys[0]) if keys else 1
    size = target.service.store.most_keys if width == 1 else _MOST_WIDE_KEYS
    return [keys[start : start + size] for start in range(0, len(keys), size)]


def keys_of(columns: Sequence[Column]) -> list[str]:
    """List the names that clients use."""
    return [column.key for column in columns]


def demand_records(body: Body) -> tuple[Any, ...]:
    """Answer the records; raises BadRequest when there are none."""
    if not body.records:
        raise BadRequest(NO_RECORDS)
    return body.records


def refuse_blank(target: Target) -> None:
    """Refuse a filter or ids that are there but say nothing: they must never come to mean every row (D26)."""
    query = target.query
    if query.filter_given and query.filter is None:
        raise BadFilter(UNPARSABLE)
    if query.ids_given and not query.ids:
        raise BadRequest("No identifiers were found in the request.")
