"""Call, Reply, Caller: the three values that cross every border."""

from __future__ import annotations

import enum
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trunkline.errors import Forbidden

if TYPE_CHECKING:
    from trunkline.authorize import Role, RowFilter
    from trunkline.db.records import AppRecord, ServiceRecord, User
    from trunkline.errors import TrunklineError
    from trunkline.response_filter import ResponseFilter

VERBS = {"GET": 1, "POST": 2, "PUT": 4, "PATCH": 8, "DELETE": 16}
ALL_VERBS = 31
TRUE_WORDS = frozenset({"true", "1", "yes", "on"})


class Requestor(enum.IntFlag):
    """Who carries the call: a client over the network, or a script inside."""

    API = 1
    SCRIPT = 2


def truth(value: object) -> bool:
    """Read a boolean option: true, 1, yes, on in any case are true, all else is false (database-api 5)."""
    return str(value).strip().lower() in TRUE_WORDS


def component_in(path: Sequence[str]) -> str:
    """Name a path as role rows do: joined, lower case, without the first ``(...)`` group (system-api 11.1)."""
    joined = "/".join(path).lower()
    start = joined.find("(")
    if start >= 0:
        end = joined.find(")", start)
        joined = joined[:start] + (joined[end + 1 :] if end >= 0 else "")
    return joined.strip("/")


def verbs_of(mask: int) -> list[str]:
    """List the verbs in a mask in the order of their bits."""
    return [verb for verb, bit in VERBS.items() if mask & bit]


@dataclass(frozen=True, slots=True)
class Session:
    """A verified session token: whose it is, its unique id, and when it was issued and ends (epoch seconds).

    ``audience`` is what a token was issued for that is no session of this API.
    """

    token: str
    user_id: int
    jti: str
    issued: int
    expires: int
    forever: bool
    audience: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: user, app and role in effect, as identify found them; ``problem`` is a bad credential, raised later."""

    user: User | None = None
    app: AppRecord | None = None
    role: Role | None = None
    is_admin: bool = False
    session: Session | None = None
    key_sent: bool = False
    token_sent: bool = False
    problem: TrunklineError | None = None
    requestor: Requestor = Requestor.API

    def mask(self, service: ServiceRecord | None, component: str) -> int:
        """Answer the verbs (a bit mask) that this caller may use on a component of a service."""
        if self.is_admin:
            return ALL_VERBS
        if self.role is None or not self.role.is_active:
            return 0
        return self.role.mask(service.id if service else None, component, self.requestor)

    def may(self, verb: str, service: ServiceRecord | None, component: str) -> bool:
        """Say whether the caller may use ``verb`` on a component."""
        return bool(self.mask(service, component) & VERBS.get(verb, 0))

    def demand(self, verb: str, service: ServiceRecord, component: str) -> None:
        """Raise Forbidden unless the caller may use ``verb`` there; for checks inside services (system-api 11.3)."""
        if not self.may(verb, service, component):
            where = f"component '{component}' of service '{service.name}'"
            raise Forbidden(f"{verb} access to {where} is not allowed by this user's role.")

    def row_filters(self, verb: str, service: ServiceRecord, component: str) -> tuple[RowFilter, ...]:
        """List the row filters that bind this caller there; all of them apply (D5)."""
        if self.is_admin or self.role is None:
            return ()
        return self.role.row_filters(service.id, component, VERBS.get(verb, 0), self.requestor)

    def response_filter(self, service: ServiceRecord, component: str) -> ResponseFilter | None:
        """Answer what is left out of this caller's replies there (D33)."""
        if self.is_admin or self.role is None:
            return None
        return self.role.response_filter(service.id, component, self.requestor)

    def any_access(self, service: ServiceRecord) -> bool:
        """Say whether the caller may do anything at all on a service (system-api 11.6)."""
        return self.is_admin or (
            self.role is not None and self.role.is_active and self.role.any_access(service.id, self.requestor)
        )


ANONYMOUS = Caller()
# Calls that the platform makes for itself: start-up, command line, plugins.
SYSTEM = Caller(is_admin=True)


@dataclass(slots=True)
class Call:
    """One request, whatever carried it here.

    ``path`` are the decoded segments below the service, ``params`` the query (``name[key]=x`` becomes a dictionary),
    ``headers`` have lower-case names, ``body`` is the parsed payload, or None. Services that take streams get the
    body as ``incoming`` instead, to be read once.
    """

    method: str
    service: str
    path: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    raw: bytes = b""
    incoming: AsyncGenerator[bytes, None] | None = None
    media_type: str = ""
    trailing_slash: bool = False
    caller: Caller = ANONYMOUS
    requestor: Requestor = Requestor.API
    request_id: str = ""
    client: str | None = None
    base_url: str = ""
    # The query as it came, for those who hand it on.
    query: bytes = b""
    version: str = "2.0"
    # Whether the reply goes out over HTTP, so that its content may be whatever ``render`` takes.
    over_http: bool = False
    # When it arrived, by the clock of ``time.perf_counter``.
    started: float = field(default_factory=time.perf_counter)
    # What plugins hand on from one hook to the next, each under its own name.
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def component(self) -> str:
        """The path as role rows name it."""
        return component_in(self.path)

    def option(self, name: str, *aliases: str) -> Any:
        """Read an option from the query, else from the top level of a JSON body; None when absent.

        The query wins when both have it (database-api 5).
        """
        for key in (name, *aliases):
            if key in self.params:
                return self.params[key]
        if isinstance(self.body, dict):
            for key in (name, *aliases):
                if key in self.body:
                    return self.body[key]
        return None

    def flag(self, name: str, *aliases: str) -> bool:
        """Read a boolean option from query or body."""
        value = self.option(name, *aliases)
        return value is not None and truth(value)


@dataclass(slots=True)
class Records:
    """Records that are read while they are sent, some at a time; ``meta`` is asked when all have gone.

    Only where ``render.streams`` says that the client can have its reply in pieces.
    """

    batches: AsyncGenerator[list[dict[str, Any]], None]
    meta: Callable[[], Awaitable[dict[str, Any]]] | None = None


@dataclass(slots=True)
class Reply:
    """What goes back: ``content`` is JSON-able, Records, bytes (sent as they are), or an async iterator of bytes.

    ``media_type`` is None where the client may negotiate; status and headers are those of HTTP.
    """

    content: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str | None = None

    @classmethod
    def of(cls, value: Any) -> Reply:
        """Make a reply of what a handler returned; a reply stays itself."""
        return value if isinstance(value, cls) else cls(value)

    @property
    def is_stream(self) -> bool:
        """Say whether the content is produced while it is sent."""
        return isinstance(self.content, AsyncIterator)
