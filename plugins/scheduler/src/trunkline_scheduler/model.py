"""The stored task and its log (system-api 23)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from trunkline import json
from trunkline.app import App
from trunkline.call import VERBS, Call, verbs_of
from trunkline.db import tables
from trunkline_scheduler import times
from trunkline_scheduler.table import scheduler, task_log
from trunkline_system.fields import invalid
from trunkline_system.model import STAMPS, Model, Relation, Row, Work
from trunkline_system.models.service import ServiceModel

_MOST_MINUTES = 366 * 24 * 60
_OWNERS = {"service_id": tables.service, "app_id": tables.app, "user_id": tables.user}


class TaskLog(Model):
    """What came of a run; the platform alone writes it."""

    table = task_log
    read_only = frozenset(task_log.columns.keys())

    @classmethod
    def scope(cls, _call: Call) -> sa.ColumnElement[bool] | None:
        """Show all: it is reached through its task only."""
        return None


class Task(Model):
    """A call that is made by itself: what, how often, as whom."""

    table = scheduler
    shapes = {"payload": {}, "verb": {"type": ["string", "null"]}}  # noqa: RUF012 - declared as a ClassVar by the parent
    resource = "scheduler"
    computed = frozenset({"verb"})

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Name the verb beside its mask."""
        return {**super().shown(app, row), "verb": next(iter(verbs_of(row["verb_mask"])), None)}

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Check what would otherwise fail at every run."""
        given = dict(given)
        given |= {name: None for name in ("app_id", "user_id", "schedule", "payload") if given.get(name) == ""}
        if isinstance(given.get("payload"), dict | list):
            given["payload"] = json.dumps(given["payload"]).decode()
        if isinstance(given.get("verb"), str) and "verb_mask" not in given:
            given["verb_mask"] = VERBS.get(given["verb"].upper(), 0)
        values = super().values(work, given, row)
        if (row is None or "service_id" in given) and values.get("service_id") is None:
            raise invalid("service_id", "The service id field is required.")
        for name, table in _OWNERS.items():
            if values.get(name) is not None and not _exists(work, table, values[name]):
                raise invalid(name, f"The selected {name} is invalid.")
        if "verb_mask" in values and values["verb_mask"] not in VERBS.values():
            raise invalid("verb_mask", "The verb mask field must be the mask of one verb.")
        if "frequency" in values and not 1 <= (values["frequency"] or 0) <= _MOST_MINUTES:
            raise invalid("frequency", "The frequency field must be a number of minutes, at least 1.")
        if values.get("schedule"):
            try:
                times.check(values["schedule"])
            except ValueError:
                raise invalid("schedule", "The schedule field must be a cron expression that ever is due.") from None
        return values


def _exists(work: Work, table: sa.Table, key: int) -> bool:
    return work.connection.execute(sa.select(table.c.id).where(table.c.id == key)).first() is not None


Task.read_only = frozenset({"id", "verb"}) | STAMPS
Task.relations = {
    "task_log_by_task_id": Relation("has_many", lambda: TaskLog, "task_id"),
    "service_by_service_id": Relation("belongs_to", lambda: ServiceModel, "service_id"),
}
