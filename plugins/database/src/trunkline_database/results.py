"""Results of reads, kept for a while where a service is configured so (database-api 17.2, D25).

What was read stays in this worker's memory, within bounds. Whether it still counts say tokens in the cache that all
workers share: every write through Trunkline replaces those of its table, so a stale result is never answered again.
A write beside Trunkline, and what a trigger does in other tables, is noticed when the time is up, or with ``refresh``.
"""

from __future__ import annotations

import json
import pickle
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from trunkline.threads import in_thread

if TYPE_CHECKING:
    from trunkline.authorize import Role
    from trunkline.call import Call
    from trunkline_database.model import Table
    from trunkline_database.plan import Target
    from trunkline_database.service import DatabaseService

DEFAULT_TTL = 18_000
_MOST_BYTES = 16 * 2**20
_MOST_OF_ONE = 2**20
_OVERHEAD = 512
_TOKEN_TTL = 7 * 86_400
# Options that change nothing in the result.
_APART = frozenset({"refresh", "api_key", "session_token"})
_LOOKUP = re.compile(r"\{(\w[\w.\-|()]*)\}")
_KEEPS_TO_ITSELF = frozenset({None, "NO ACTION", "RESTRICT"})

# Tokens: for everything of the service, for any table of it, and one for each table.
_ALL, _ANY, _TABLE = "all", "any", "table:"


@dataclass(frozen=True, slots=True)
class _Entry:
    until: float
    tokens: tuple[str, str]
    # Pickled and read only here: nobody can change what was kept, and decimals stay what they are (D14).
    data: bytes


class Results:
    """The results of one service in this worker."""

    def __init__(self, service: DatabaseService) -> None:
        """Keep nothing yet."""
        self._service = service
        self._prefix = f"cache:{service.record.id}:"
        self._config = _digest(service.record.config, service.app.settings.max_records)
        self._entries: LRUCache[str, _Entry] = LRUCache(_MOST_BYTES, lambda one: len(one.data) + _OVERHEAD)
        self._roles: LRUCache[int, tuple[Role, str, frozenset[str]]] = LRUCache(256)

    async def answer(self, target: Target, read: Callable[[], Awaitable[Any]]) -> Any:
        """Answer what is kept for a request, or read it and keep it; ``refresh`` always reads, and replaces (D25)."""
        key, token = self._key(target), _token_of(target)
        if target.query.refresh:
            await in_thread(self._renew, token)
        # Read before the database is: what is written meanwhile makes the result count no more.
        tokens = await in_thread(self._tokens, token)
        found = self._entries.get(key)
        if found is not None and found.tokens == tokens and found.until > time.monotonic() and not target.query.refresh:
            return pickle.loads(found.data)  # noqa: S301 - of this process's own making
        content = await read()
        # What another service's writes may change is not ours to keep.
        if target.sources <= {self._service.record.id}:
            self._keep(key, tokens, content)
        return content

    async def written(self, call: Call, table: Table) -> None:
        """Let results go that a write may have changed."""
        names = (_ALL,) if _reaches_further(call, table) else (f"{_TABLE}{table.name.lower()}", _ANY)
        await in_thread(self._renew, *names)

    async def forget(self) -> None:
        """Let all results of the service go, on every worker."""
        self._entries.clear()
        await in_thread(self._renew, _ALL)

    def _keep(self, key: str, tokens: tuple[str, str], content: Any) -> None:
        try:
            data = pickle.dumps(content)
        except (pickle.PicklingError, TypeError, AttributeError):
            return  # a stream, for instance
        if len(data) <= _MOST_OF_ONE:
            ttl = self._service.config.cache_ttl if self._service.config.cache_ttl > 0 else DEFAULT_TTL
            self._entries[key] = _Entry(time.monotonic() + ttl, tokens, data)

    # Tokens; these block.

    def _tokens(self, token: str) -> tuple[str, str]:
        return self._current(_ALL), self._current(token)

    def _current(self, name: str) -> str:
        cache, key = self._service.app.cache, self._prefix + name
        found = cache.get(key)
        if found is None:
            made = secrets.token_hex(8)
            found = made if cache.add(key, made, _TOKEN_TTL) else cache.get(key)
        # Gone again between the two: a token that nobody else has keeps nothing.
        return str(found or secrets.token_hex(8))

    def _renew(self, *names: str) -> None:
        for name in names:
            self._service.app.cache.set(self._prefix + name, secrets.token_hex(8), _TOKEN_TTL)

    # Keys.

    def _key(self, target: Target) -> str:
        """Build the key: all that the result depends on, each part in its place, so that no two requests share one."""
        call = target.call
        params = {name: value for name, value in call.params.items() if name not in _APART}
        role, looked_up = self._of_role(call.caller.role)
        lookups = self._service.app.lookups(call) if looked_up or _LOOKUP.search(str(params)) else None
        asked = sorted(set(_LOOKUP.findall(str(params))))
        return _digest(
            self._config,
            target.table.name,
            list(call.path[2:]),
            params,
            call.caller.is_admin,
            int(call.caller.requestor),
            role,
            [[name, repr(lookups.value(name, private=True))] for name in sorted(looked_up)] if lookups else [],
            [[name, repr(lookups.value(name))] for name in asked] if lookups else [],
        )

    def _of_role(self, role: Role | None) -> tuple[str, frozenset[str]]:
        """Answer what tells a role's rights from those of all others, and the look-ups in its filters."""
        if role is None:
            return "", frozenset()
        known = self._roles.get(id(role))
        if known is None:
            text = repr(role.rows)
            # Kept with the role itself, so that its id cannot be given to another one meanwhile.
            known = self._roles[id(role)] = (
                role,
                _digest(role.id, role.is_active, text),
                frozenset(_LOOKUP.findall(text)),
            )
        return known[1:]


def _token_of(target: Target) -> str:
    """Name the token that a read depends on: its table's, or that of any table where it may see others."""
    table = target.table
    functions = (text for column in table.columns for text in column.functions.values())
    sees_others = (
        target.query.related or table.always or table.is_view or any("select" in one.lower() for one in functions)
    )
    return _ANY if sees_others else f"{_TABLE}{table.name.lower()}"


def _reaches_further(call: Call, table: Table) -> bool:
    """Say whether a write may change other tables: records nested in it, rules of references, tables behind a view."""
    if table.is_view or (call.method != "DELETE" and _is_nested(call.body)):
        return True
    if call.method == "POST":
        return False
    inwards = (one for one in table.relations if one.type != "belongs_to")
    return any(rule not in _KEEPS_TO_ITSELF for one in inwards for rule in (one.ref_on_delete, one.ref_on_update))


def _is_nested(body: Any) -> bool:
    records = body.get("resource", body) if isinstance(body, dict) else body
    records = records if isinstance(records, list) else [records]
    return any(isinstance(value, dict | list) for one in records if isinstance(one, dict) for value in one.values())


def _digest(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=repr, ensure_ascii=True)
    return blake2b(text.encode(), digest_size=32).hexdigest()
