"""The stored limit: its fields, its rules, and the state of its counters (system-api 17.1 and 17.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from trunkline.call import VERBS
from trunkline.db import tables
from trunkline.errors import BadRequest
from trunkline_limits.rules import PERIODS, TYPES, counter_key, is_each_user, key_text
from trunkline_limits.table import limit
from trunkline_system.fields import invalid
from trunkline_system.model import STAMPS, Model, Relation, Row, Work
from trunkline_system.models.role import Role
from trunkline_system.models.service import ServiceModel
from trunkline_system.models.user import UserModel

_PLACES = ("user_id", "role_id", "service_id", "endpoint")
_OWNERS = {"user_id": tables.user, "role_id": tables.role, "service_id": tables.service}


class LimitCacheModel(Model):
    """Stands for the counters: who may read them, and by which limits they are selected."""

    table = limit
    resource = "limit_cache"


class LimitModel(Model):
    """A limit."""

    table = limit
    resource = "limit"
    natural_key = ("type", "user_id", "role_id", "service_id", "endpoint", "verb", "period")
    read_only = frozenset({"id", "key_text"}) | STAMPS

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Check that the limit says what its type needs, and write its key."""
        given = dict(given)
        # Forms send empty fields for what a type does not need.
        given |= {name: None for name in (*_PLACES, "verb") if given.get(name) == ""}
        if row is None or "rate" in given:
            given["rate"] = _rate(given.get("rate"))
        values = super().values(work, given, row)
        whole = dict.fromkeys((*_PLACES, "verb")) | dict(row or {}) | values
        _check_words(whole)
        for name in _PLACES:
            if name not in TYPES[whole["type"]]:
                # What does not count is not kept, so that the record says what is counted.
                values[name] = whole[name] = None
        _check_places(work, whole)
        if whole["verb"] is not None:
            values["verb"] = whole["verb"] = whole["verb"].upper()
        values["key_text"] = key_text(whole)
        taken = sa.select(limit.c.id).where(limit.c.key_text == values["key_text"])
        if row is not None:
            taken = taken.where(limit.c.id != row["id"])
        if work.connection.execute(taken).first() is not None:
            raise BadRequest("A limit already exists with those parameters. No records added.")
        return values


def _rate(given: Any) -> int:
    """Read the rate; forms send it as text."""
    try:
        if isinstance(given, bool | float):
            raise ValueError
        rate = int(given)
    except (TypeError, ValueError):
        raise BadRequest("Limit rate must be an integer. Limit not saved.") from None
    if rate < 0:
        raise invalid("rate", "The rate field must be at least 0.")
    return rate


def _check_words(whole: Mapping[str, Any]) -> None:
    if whole["type"] not in TYPES:
        raise invalid("type", "The selected type is invalid.")
    if whole["period"] not in PERIODS:
        raise invalid("period", "The selected period is invalid.")
    if whole["verb"] is not None and whole["verb"].upper() not in VERBS:
        raise BadRequest("Verb is invalid or not allowed.")


def _check_places(work: Work, whole: Mapping[str, Any]) -> None:
    for name in TYPES[whole["type"]]:
        if whole[name] is None:
            raise BadRequest(f"{name} must be specified with this limit type. Limit: {whole['name']}")
        table = _OWNERS.get(name)
        if table is None:
            continue
        if work.connection.execute(sa.select(table.c.id).where(table.c.id == whole[name])).first() is None:
            raise invalid(name, f"The selected {name} is invalid.")


def counter_rows(work: Work, limits: Sequence[Row]) -> dict[int, list[dict[str, Any]]]:
    """Tell how far the counters of limits are, by limit; a row for each active user where every user has one.

    Such a limit has a row without a user when there are no users: clients take an empty list for a broken limit.
    """
    users: list[int] = []
    if any(is_each_user(row["type"]) for row in limits):
        table = tables.user
        query = sa.select(table.c.id).where(table.c.is_active, sa.not_(table.c.is_sys_admin)).order_by(table.c.id)
        users = list(work.connection.scalars(query.limit(work.app.settings.max_records)))
    found: dict[int, list[dict[str, Any]]] = {}
    for row in limits:
        callers: Sequence[int | None] = users if users and is_each_user(row["type"]) else [None]
        found[row["id"]] = [_counter_row(work, row, caller) for caller in callers]
    return found


def _counter_row(work: Work, row: Row, caller: int | None) -> dict[str, Any]:
    count = work.app.cache.get(counter_key(row["id"], row["period"], caller)) or 0
    attempts = min(count, row["rate"])
    return {
        "id": row["id"],
        "key": key_text(row, caller),
        "max": row["rate"],
        "attempts": attempts,
        "remaining": row["rate"] - attempts,
    }


LimitModel.relations = {
    "user_by_user_id": Relation("belongs_to", lambda: UserModel, "user_id"),
    "role_by_role_id": Relation("belongs_to", lambda: Role, "role_id"),
    "service_by_service_id": Relation("belongs_to", lambda: ServiceModel, "service_id"),
    "limit_cache_by_limit_id": Relation("computed", lambda: LimitCacheModel, compute=counter_rows),
}
