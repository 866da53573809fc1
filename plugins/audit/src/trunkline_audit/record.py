"""Making a record of a call: who, what, and how it ended. Nothing that a client sent is in it but the path."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from trunkline import json
from trunkline.call import SYSTEM, Call, Reply
from trunkline.events import RecordChanged
from trunkline_audit.table import NAME_LENGTH, RESOURCE_LENGTH

if TYPE_CHECKING:
    from trunkline.app import App

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
REFUSALS = frozenset({401, 403, 429})
_VERBS = {"created": "POST", "updated": "PATCH", "deleted": "DELETE"}
# Most ids that one record lists.
_MOST_IDS = 100


@dataclass(slots=True)
class Changes:
    """What one call changed among the stored records of the platform."""

    ids: list[int] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)

    def add(self, event: RecordChanged) -> None:
        """Note one record."""
        if len(self.ids) < _MOST_IDS:
            self.ids.append(event.id)
        self.fields.update(event.fields)


@dataclass(slots=True)
class AuditRecord:
    """One line of the trail."""

    time: datetime
    kind: str
    verb: str
    service: str
    resource: str
    status: int
    user_id: int | None = None
    user_name: str | None = None
    is_sys_admin: bool = False
    app_id: int | None = None
    app_name: str | None = None
    role_id: int | None = None
    role_name: str | None = None
    client: str | None = None
    request_id: str | None = None
    duration_ms: float | None = None
    record_ids: list[int] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """Answer the columns."""
        lists = {name: json.dumps(getattr(self, name)).decode() for name in ("record_ids", "fields")}
        return asdict(self) | lists

    def line(self) -> dict[str, Any]:
        """Answer what a JSON line has: nothing that is not known."""
        told = {name: value for name, value in asdict(self).items() if value not in (None, [])}
        return told | {"time": self.time.isoformat(timespec="milliseconds") + "Z"}


def kind_of(app: App, call: Call, reply: Reply) -> str | None:
    """Say what a call is to the trail; None for those that leave no record."""
    if call.method in WRITES:
        return "login" if call.method == "POST" and _is_session(app, call) else "write"
    return "refused" if reply.status in REFUSALS else None


def _is_session(app: App, call: Call) -> bool:
    record = app.directory.snapshot.services.get(call.service)
    found = app.registry.find(record.type) if record else None
    return found is not None and call.component in found.session_paths


def of_call(call: Call, reply: Reply, kind: str, changes: Changes | None) -> AuditRecord:
    """Make the record of a call. Names that somebody tried to log in with are left out: they may be passwords."""
    if kind == "write" and reply.status in REFUSALS:
        kind = "refused"
    caller = call.caller
    record = AuditRecord(
        _now(), kind, call.method[:16], call.service[:NAME_LENGTH], call.component[:RESOURCE_LENGTH], reply.status,
        client=call.client and call.client[:64], request_id=call.request_id or None,
        duration_ms=round((time.perf_counter() - call.started) * 1000, 2),
    )  # fmt: skip
    if (user := caller.user) is not None:
        record.user_id, record.user_name = user.id, user.name or user.username
        record.is_sys_admin = user.is_sys_admin
    elif kind == "login" and reply.status < 400 and isinstance(reply.content, dict):
        record.user_id, record.user_name = reply.content.get("id"), reply.content.get("name")
        record.is_sys_admin = bool(reply.content.get("is_sys_admin"))
    elif caller is SYSTEM:
        record.is_sys_admin = True
    if caller.app is not None:
        record.app_id, record.app_name = caller.app.id, caller.app.name
    if caller.role is not None:
        record.role_id, record.role_name = caller.role.id, caller.role.name
    if changes is not None:
        record.record_ids, record.fields = changes.ids, sorted(changes.fields)
    return record


def of_change(event: RecordChanged) -> AuditRecord:
    """Make the record of a change that no request asked for: the command line, a plugin, a script."""
    return AuditRecord(
        _now(), "write", _VERBS[event.action], "system", event.resource, 200, user_id=event.by_user_id,
        is_sys_admin=event.by_user_id is None, record_ids=[event.id], fields=list(event.fields),
    )  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
