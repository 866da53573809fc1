"""May they? Roles with their access rows, and the decision at the front door (system-api 2.4 and 11)."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from trunkline.call import ALL_VERBS, VERBS, Call, Caller, Requestor
from trunkline.errors import BadRequest, Forbidden, NotFound, TrunklineError, Unauthorized
from trunkline.response_filter import ResponseFilter, joined

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord
    from trunkline.service import Service

# Paths are remembered with their rows; bounded, since record ids are part of a path.
_REMEMBERED = 4096
_PLACEHOLDER = re.compile(r"\\\{[^}]*\\\}")


class Level(enum.IntEnum):
    """How closely an access row fits; only the closest rows count."""

    ALL = 1
    SERVICE = 2
    WILDCARD = 3
    EXACT = 4


@dataclass(frozen=True, slots=True)
class RowFilter:
    """The filter of one access row: conditions ``{name, operator, value}`` joined by ``and`` or ``or``."""

    conditions: tuple[tuple[str, str, Any], ...]
    joined_by: str = "and"


@dataclass(frozen=True, slots=True)
class AccessRow:
    """One row of a role: where (service None is every service), what (component), verbs, requestors, and filters."""

    service_id: int | None
    component: str
    verbs: int
    requestors: int
    row_filter: RowFilter | None = None
    response_filter: ResponseFilter | None = None

    def level(self, service_id: int | None, component: str) -> Level | None:
        """Say how this row fits what is asked, or None (the table of system-api 11.2)."""
        if self.service_id is None:
            return Level.ALL if self.component == "*" or self.component == component == "" else None
        if self.service_id != service_id:
            return None
        if not component:
            return {"": Level.EXACT, "*": Level.SERVICE}.get(self.component)
        if self.component == component:
            return Level.EXACT
        if self.component.endswith("*") and f"{component}/".startswith(self.component[:-1]):
            # An asterisk in the middle never matches.
            return Level.WILDCARD if "*" not in self.component[:-1] else None
        if "{" in component:
            pattern = _PLACEHOLDER.sub("[a-zA-Z0-9_]+", re.escape(component))
            return Level.WILDCARD if re.fullmatch(pattern, self.component) else None
        return None


@dataclass(slots=True, eq=False)
class Role:
    """A role with its rows, compiled once and replaced when anything in it changes."""

    id: int
    name: str
    is_active: bool
    rows: tuple[AccessRow, ...]
    _matched: LRUCache[tuple[int | None, str, int], tuple[AccessRow, ...]] = field(
        default_factory=lambda: LRUCache(_REMEMBERED), repr=False
    )
    _joined: dict[tuple[ResponseFilter, ...], ResponseFilter | None] = field(default_factory=dict, repr=False)

    def matched(self, service_id: int | None, component: str, requestor: int) -> tuple[AccessRow, ...]:
        """List the rows on the closest level that has any."""
        key = (service_id, component, requestor)
        found = self._matched.get(key)
        if found is None:
            levels: dict[Level, list[AccessRow]] = {}
            for row in self.rows:
                if row.requestors & requestor and (level := row.level(service_id, component)) is not None:
                    levels.setdefault(level, []).append(row)
            found = self._matched[key] = tuple(levels[max(levels)]) if levels else ()
        return found

    def mask(self, service_id: int | None, component: str, requestor: Requestor) -> int:
        """Answer the verbs granted on a component: the OR of the closest rows."""
        mask = 0
        for row in self.matched(service_id, component, requestor):
            mask |= row.verbs
        return mask

    def row_filters(self, service_id: int, component: str, verb: int, requestor: Requestor) -> tuple[RowFilter, ...]:
        """List the filters of the closest rows that grant ``verb``; all of them bind, none replaces another (D5)."""
        rows = self.matched(service_id, component, requestor)
        return tuple(row.row_filter for row in rows if row.verbs & verb and row.row_filter is not None)

    def response_filter(self, service_id: int, component: str, requestor: Requestor) -> ResponseFilter | None:
        """Answer what the closest rows leave out of replies, whatever the verb: none widens what another narrowed."""
        rows = self.matched(service_id, component, requestor)
        found = tuple(row.response_filter for row in rows if row.response_filter is not None)
        if len(found) < 2:
            return found[0] if found else None
        # The same object again for the same rows, as others remember by it.
        if found not in self._joined:
            self._joined[found] = joined(found)
        return self._joined[found]

    def any_access(self, service_id: int, requestor: Requestor) -> bool:
        """Say whether any row grants anything on a service (system-api 11.6)."""
        rows = [row for row in self.rows if row.requestors & requestor]
        own = [row for row in rows if row.service_id == service_id]
        return any(row.verbs for row in own or [row for row in rows if row.service_id is None])


def component_of(text: str | None) -> str:
    """Normalise a stored component as loaded rows have it: lower case, without slashes at its ends."""
    return (text or "").strip().strip("/").lower()


def authorize(app: App, call: Call) -> Service:
    """Let the call pass and answer its service, or raise what the original says.

    Access is judged before existence: who may not use a service cannot tell whether it is there.
    """
    caller = call.caller
    component = call.component
    if caller.problem is not None:
        raise caller.problem
    record = app.directory.snapshot.services.get(call.service)
    if not lets_pass(app, caller, call.method, record, component):
        raise refusal(call, component)
    if record is None:
        raise NotFound(f"Could not find a service for {call.service}")
    if not record.is_active:
        raise Forbidden(f"Service {record.name} is deactivated.")
    return app.services.of(record, told_why=caller.is_admin)


def lets_pass(app: App, caller: Caller, verb: str, record: ServiceRecord | None, component: str) -> bool:
    """Say whether the front door lets a caller use a verb on a component."""
    return caller.may(verb, record, component) or _exempt(app, caller, verb, record, component)


def _exempt(app: App, caller: Caller, verb: str, record: ServiceRecord | None, component: str) -> bool:
    """Say whether the type leaves this path open (D21), or the handler filters the list (2.4, ``_schema``)."""
    if record is None:
        return False
    kind = app.registry.find(record.type)
    if kind is None:
        return False
    if any(one.covers(verb, component) for one in kind.open_paths):
        return True
    role = caller.role
    if verb == "GET" and component in kind.self_filtering and role is not None and role.is_active:
        return any(
            row.service_id == record.id and row.verbs & VERBS["GET"] and row.requestors & caller.requestor
            for row in role.rows
        )
    return False


def refusal(call: Call, component: str) -> TrunklineError:
    """Choose the error for a call that no permission covers, in the order of system-api 2.4."""
    caller = call.caller
    if not caller.key_sent and not caller.token_sent and caller.requestor is Requestor.API:
        return BadRequest(
            "No session token (JWT) or API Key detected in request. Please send in X-DreamFactory-Session-Token and/or "
            "X-DreamFactory-API-Key request header. You can also use URL query parameters session_token and/or api_key."
        )
    if caller.role is None:
        if not caller.key_sent:
            return BadRequest(
                "No API Key provided. Please provide a valid API Key using X-DreamFactory-API-Key request header or "
                "'api_key' url query parameter."
            )
        if not caller.token_sent:
            return BadRequest(
                "No session token (JWT) provided. Please provide a valid JWT using X-DreamFactory-Session-Token "
                "request header or 'session_token' url query parameter."
            )
        return Forbidden("Role not found. A role may not be assigned to you or your application.")
    if not caller.role.is_active:
        return Forbidden(
            "Access Forbidden. The role assigned to you or your application or the default role of your application is "
            "not active."
        )
    if caller.user is None:
        return Unauthorized("Unauthorized. User is not authenticated.")
    where = f"component '{component}' of service '{call.service}'" if component else f"service '{call.service}'"
    return Forbidden(f"Access Forbidden. {call.method} access to {where} is not allowed by this user's role.")


__all__ = ["ALL_VERBS", "AccessRow", "Level", "Role", "RowFilter", "authorize", "component_of", "lets_pass", "refusal"]
