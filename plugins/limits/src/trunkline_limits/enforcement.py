"""Counting calls and refusing those beyond a limit, on every worker (system-api 17.3)."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline import hookimpl
from trunkline.cache import Budget, Spent
from trunkline.call import Call, Reply, Requestor
from trunkline.errors import TooManyRequests, TrunklineError
from trunkline.events import NamedEvent
from trunkline.hooks import headers_only
from trunkline.threads import in_thread
from trunkline_limits.model import LimitModel
from trunkline_limits.rules import Rule, Rules
from trunkline_limits.table import limit

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.service import Service

NOTE = "limits"
# Counters known to be used up; beyond this number all are forgotten, and asked for in the cache again.
_REMEMBERED = 10_000
# Seconds until limits are read again that could not be read.
_PATIENCE = 1.0


class Enforcement:
    """The limits of one application, in memory until a revision makes them stale."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._rules = Rules()
        self._revision = -1
        self._loading = asyncio.Lock()
        self._not_before = 0.0
        # When a counter that is used up begins anew (epoch); what is refused here costs no cache access.
        self._used_up: dict[str, float] = {}

    @hookimpl
    def check_call(self, app: App, call: Call, service: Service) -> Awaitable[None] | None:
        """Count the call, or refuse it; without limits this is a comparison of two numbers."""
        if self._revision == app.directory.snapshot.revision:
            return self._checked(app, call, service) if self._rules else None
        return self._checked_after_loading(app, call, service)

    @hookimpl
    @headers_only
    def after_call(self, call: Call, reply: Reply) -> None:
        """Tell how much is left of the limit that is nearest to its end."""
        noted: tuple[Rule, Spent] | None = call.notes.get(NOTE)
        if noted is not None:
            reply.headers.update(_headers(*noted))

    @hookimpl
    async def explain_call(self, app: App, call: Call, service: Service) -> dict[str, Any]:
        """Tell which limits a call would count in, and how far these are."""
        await self._load(app)
        if call.caller.is_admin or call.caller.requestor is Requestor.SCRIPT:
            return {NOTE: []}
        user_id = call.caller.user.id if call.caller.user else None
        rules = self._rules.matching(call, service.record.id)
        used = await in_thread(lambda: [app.cache.get(rule.counter(user_id)) or 0 for rule in rules])
        told = [
            {"id": one.id, "name": one.name, "rate": one.rate, "period": one.period, "used": min(count, one.rate)}
            for one, count in zip(rules, used, strict=True)
        ]
        return {NOTE: told}

    async def _checked_after_loading(self, app: App, call: Call, service: Service) -> None:
        await self._load(app)
        waiting = self._checked(app, call, service) if self._rules else None
        if waiting is not None:
            await waiting

    async def _load(self, app: App) -> None:
        async with self._loading:
            revision = app.directory.snapshot.revision
            due = self._revision < 0 or time.monotonic() >= self._not_before
            if self._revision != revision and due:
                try:
                    self._rules = await app.database.aread(lambda connection: _read(app, connection))
                except TrunklineError:
                    # As with roles, what is known goes on counting while the system database is down.
                    self._not_before = time.monotonic() + _PATIENCE
                    if self._revision < 0:
                        raise
                else:
                    self._revision = revision
                    # A counter that was reset raises the revision too.
                    self._used_up.clear()

    def _checked(self, app: App, call: Call, service: Service) -> Awaitable[None] | None:
        """Find the limits that matter; administrators and scripts are immune."""
        if call.caller.is_admin or call.caller.requestor is Requestor.SCRIPT:
            return None
        rules = self._rules.matching(call, service.record.id)
        return self._counted(app, call, rules) if rules else None

    async def _counted(self, app: App, call: Call, rules: Sequence[Rule]) -> None:
        user_id = call.caller.user.id if call.caller.user else None
        keys = [rule.counter(user_id) for rule in rules]
        now = time.time()
        known = [
            (rule, Spent(rule.rate + 1, ends))
            for rule, key in zip(rules, keys, strict=True)
            if (ends := self._used_up.get(key, 0.0)) > now
        ]
        if known:
            raise _refusal(known)
        budgets = [Budget(key, rule.rate, rule.seconds) for rule, key in zip(rules, keys, strict=True)]
        spent = list(zip(rules, await in_thread(app.cache.spend, budgets), strict=True))
        exceeded = [(rule, one) for rule, one in spent if one.count > rule.rate]
        if not exceeded:
            call.notes[NOTE] = min(spent, key=lambda pair: pair[0].rate - pair[1].count)
            return
        if len(self._used_up) > _REMEMBERED:
            self._used_up.clear()
        for rule, one in exceeded:
            self._used_up[rule.counter(user_id)] = one.ends
            if one.count == rule.rate + 1:
                # The counter is shared, so this is the first refusal of the window on any worker.
                content = {"limit": rule.shown, "user_id": user_id, "client": call.client, "service": call.service}
                app.events.publish(NamedEvent(f"system.limit.{rule.id}.exceeded", content))
        raise _refusal(exceeded)


def _refusal(exceeded: Sequence[tuple[Rule, Spent]]) -> TooManyRequests:
    """Make the 429; its headers describe the exceeded limit that lasts longest."""
    rule, one = max(exceeded, key=lambda pair: pair[1].ends)
    context = [{"id": rule.id, "name": rule.name, "object": rule.shown} for rule, _one in exceeded]
    wait = math.ceil(one.ends - time.time())
    error = TooManyRequests("API limit(s) exceeded. ", retry_after=wait, context=context)
    error.headers.update(_headers(rule, one))
    return error


def _headers(rule: Rule, spent: Spent) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(rule.rate),
        "X-RateLimit-Remaining": str(max(0, rule.rate - spent.count)),
        "X-RateLimit-Reset": str(math.ceil(spent.ends)),
    }


def _read(app: App, connection: sa.Connection) -> Rules:
    rows = connection.execute(sa.select(limit).where(limit.c.is_active).order_by(limit.c.id)).mappings()
    return Rules(Rule.of(row, LimitModel.shown(app, row)) for row in rows)
