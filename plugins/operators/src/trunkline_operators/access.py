"""What a role says to a call: each row, how closely it fits, and what it narrows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from trunkline.authorize import AccessRow, Role, RowFilter
from trunkline.call import VERBS, Call, Requestor, verbs_of
from trunkline.db.records import ServiceRecord
from trunkline.errors import BadRequest
from trunkline.vault import MASK
from trunkline_database import filters

if TYPE_CHECKING:
    from trunkline.app import App

# Built-in look-ups that are credentials.
_CREDENTIALS = ("session.id", "session.token", "app.api_key")


def access(app: App, call: Call, record: ServiceRecord | None) -> dict[str, Any]:
    """Answer the rows of the caller's role as they were tried, and the mask that those make that count."""
    caller, component = call.caller, call.component
    names = {one.id: one.name for one in app.directory.snapshot.services_by_id.values()}
    role = caller.role
    service_id = record.id if record is not None else None
    counted = role.matched(service_id, component, caller.requestor) if role is not None else ()
    rows = [
        {
            "service": names.get(row.service_id, row.service_id) if row.service_id is not None else None,
            "component": row.component,
            "verbs": verbs_of(row.verbs),
            "requestors": [one.name for one in Requestor if row.requestors & one],
            "level": level.name if (level := row.level(service_id, component)) is not None else None,
            "counts": not caller.is_admin and any(one is row for one in counted),
            "why": _why(row, role, call, record),
        }
        for row in (role.rows if role is not None else ())
    ]
    return {
        "rows": rows,
        "mask": verbs_of(caller.mask(record, component)),
        "open": _is_open(app, call, record),
        "why": _verdict(call, role),
    }


def _why(row: AccessRow, role: Role | None, call: Call, record: ServiceRecord | None) -> str:
    """Say why a row counts or does not."""
    if call.caller.is_admin:
        return "Administrators have all rights; rows do not matter."
    if not row.requestors & call.caller.requestor:
        return f"It is not for {'scripts' if call.caller.requestor is Requestor.SCRIPT else 'the API'}."
    service_id = record.id if record is not None else None
    if row.service_id is not None and row.service_id != service_id:
        return "It is for another service."
    level = row.level(service_id, call.component)
    if level is None:
        return "Its component is another one."
    assert role is not None  # noqa: S101 - the row is one of its
    counted = role.matched(service_id, call.component, call.caller.requestor)
    if not any(one is row for one in counted):
        return "Another row fits more closely."
    if row.verbs & VERBS.get(call.method, 0):
        return f"It grants {call.method}."
    return f"It fits, but does not grant {call.method}."


def _verdict(call: Call, role: Role | None) -> str:
    if call.caller.is_admin:
        return "Administrators have all rights."
    if role is None:
        return "The caller has no role."
    return "The role's rows decide." if role.is_active else "The role is not active."


def _is_open(app: App, call: Call, record: ServiceRecord | None) -> bool:
    """Say whether the type of the service leaves this path open to everybody."""
    kind = app.registry.find(record.type) if record is not None else None
    return kind is not None and any(one.covers(call.method, call.component) for one in kind.open_paths)


def row_filter(app: App, call: Call, record: ServiceRecord | None) -> str | None:
    """Answer the filter that binds the caller as text: look-ups filled in, private values and credentials masked."""
    if record is None:
        return None
    found = call.caller.row_filters(call.method, record, call.component)
    try:
        node = filters.all_of(*(_tree(one, app, call) for one in found))
    except (ValueError, BadRequest) as error:
        return f"The filter is not valid: {error}"
    return filters.render(node) if node is not None else None


def _tree(one: RowFilter, app: App, call: Call) -> filters.Node:
    rows = [{"name": name, "operator": operator, "value": value} for name, operator, value in one.conditions]
    joined_by: Literal["and", "or"] = "or" if one.joined_by == "or" else "and"
    lookups = app.lookups(call)

    def look_up(name: str) -> Any:
        if any(secret in name for secret in _CREDENTIALS):
            return MASK
        value = lookups.value(name)
        if value is not None:
            return value
        # What cannot be found stays a placeholder: such a call is refused.
        return MASK if lookups.value(name, private=True) is not None else f"{{{name}}}"

    return filters.substitute(filters.from_rows(rows, joined_by), look_up)
