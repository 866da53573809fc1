"""What a role lets through of a table's rows: its filters as trees, with look-ups bound (D5, system-api 11.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cachetools import LRUCache

from trunkline.call import Call
from trunkline.errors import BadRequest, Forbidden, InternalError
from trunkline_database import filters
from trunkline_database.filters import Node
from trunkline_database.model import Table
from trunkline_database.resolve import resolved

if TYPE_CHECKING:
    from trunkline.authorize import RowFilter
    from trunkline.service import Service

DENIED = "Denied access to some of the requested fields."


@dataclass(frozen=True, slots=True)
class _Known:
    """A role's filter for a table; ``node`` is None where look-ups must be put into ``tree`` on every call."""

    table: Table
    found: RowFilter
    tree: Node
    node: Node | None


# By the ids of table and filter, which cannot be given to others while the entry keeps both.
_known: LRUCache[tuple[int, int], _Known] = LRUCache(1024)


def row_filter(service: Service, call: Call, table: Table, verb: str, component: str) -> Node | None:
    """Answer what every row must satisfy for this caller; None when no filter binds.

    Raises Forbidden when a value cannot be looked up: the filter might then hold for rows that it is meant to hide.
    """
    found = call.caller.row_filters(verb, service.record, component)
    if not found:
        return None
    return filters.all_of(*(_node(service, call, table, one) for one in found))


def look_up_of(service: Service, call: Call) -> Callable[[str], Any]:
    """Answer a function from the name of a look-up to its value; raises KeyError for unknown names."""

    def look_up(name: str) -> Any:
        value = service.app.lookups(call).value(name)
        if value is None:
            raise KeyError(name)
        return value

    return look_up


def _node(service: Service, call: Call, table: Table, found: RowFilter) -> Node:
    key = (id(table), id(found))
    known = _known.get(key)
    if known is None:
        tree = _from_conditions(found)
        known = _Known(table, found, tree, None if "{" in filters.render(tree) else resolved(table, tree, real=True))
        _known[key] = known
    if known.node is not None:
        return known.node
    return resolved(table, filters.substitute(known.tree, _demanding(service, call)), real=True)


def _from_conditions(found: RowFilter) -> Node:
    rows = [{"name": name, "operator": operator, "value": value} for name, operator, value in found.conditions]
    joined_by: Literal["and", "or"] = "or" if found.joined_by.strip().lower() == "or" else "and"
    try:
        return filters.from_rows(rows, joined_by)
    except (ValueError, BadRequest) as error:
        raise InternalError("Invalid server-side filter configuration detected.") from error


def _demanding(service: Service, call: Call) -> Callable[[str], Any]:
    def look_up(name: str) -> Any:
        # Private look-ups may be used here: the value is bound and never shown.
        value = service.app.lookups(call).value(name, private=True)
        if value is None:
            raise Forbidden(f"{DENIED} A filter of this user's role needs a value that is not there.")
        return value

    return look_up
