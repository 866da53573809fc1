"""The trail of one application: records wait in a bounded queue and are stored in the background."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from trunkline import hookimpl, json
from trunkline.errors import TrunklineError
from trunkline.events import CallAnswered, CallRefused, RecordChanged
from trunkline.threads import in_thread
from trunkline_audit.record import AuditRecord, Changes, kind_of, of_call, of_change
from trunkline_audit.settings import AuditSettings
from trunkline_audit.table import audit

if TYPE_CHECKING:
    from trunkline.app import App

log = logging.getLogger(__name__)
lines = logging.getLogger("trunkline.audit")
# Records of one transaction, and the seconds that they are collected or, after a failure, wait.
_BATCH = 500
_COLLECT = 0.5
_PATIENCE = 2.0
# Seconds at the end within which all must be stored.
_LAST = 5.0
_PURGE_EVERY = 3600.0
_PURGE_AT_ONCE = 5000


class Trail:
    """Listens to what happens, and keeps it."""

    def __init__(self, settings: AuditSettings) -> None:
        """Keep nothing yet."""
        self._settings = settings
        # New ones, and those that are in the log already but not in the database.
        self._waiting: deque[AuditRecord] = deque()
        self._unsaved: deque[AuditRecord] = deque()
        self._changes: dict[str, Changes] = {}
        self._some = asyncio.Event()
        self._ending = asyncio.Event()
        self._writing = asyncio.Lock()
        self.dropped = 0
        self._told_dropped = 0

    @hookimpl
    def on_event(self, app: App, event: object) -> None:
        """Note what belongs into the trail; costs no input or output."""
        if isinstance(event, CallAnswered | CallRefused):
            if (kind := kind_of(app, event.call, event.reply)) is not None:
                changes = self._changes.pop(event.call.request_id, None)
                self._add(of_call(event.call, event.reply, kind, changes))
        elif isinstance(event, RecordChanged):
            if not event.request_id:
                self._add(of_change(event))
            elif event.request_id in self._changes or len(self._changes) < self._settings.queue:
                self._changes.setdefault(event.request_id, Changes()).add(event)

    def _add(self, record: AuditRecord) -> None:
        if len(self._waiting) + len(self._unsaved) >= self._settings.queue:
            self.dropped += 1
            return
        self._waiting.append(record)
        self._some.set()

    @hookimpl
    def lifespan(self, app: App) -> AbstractAsyncContextManager[None]:
        """Store what waits while the application runs, and the rest at its end."""
        return self._alive(app)

    @contextlib.asynccontextmanager
    async def _alive(self, app: App) -> AsyncIterator[None]:
        writing, purging = asyncio.create_task(self._write_on(app)), asyncio.create_task(self._purge_on(app))
        try:
            yield
        finally:
            self._ending.set()
            writing.cancel()
            # Not cancelled: its thread would go on, on a database that is about to be closed.
            await asyncio.gather(writing, purging, return_exceptions=True)
            try:
                async with asyncio.timeout(_LAST):
                    await self.flush(app)
            except Exception:
                log.exception("the last audit records could not be stored")
            self.dropped += len(self._waiting) + len(self._unsaved)
            self._tell_dropped()

    async def _write_on(self, app: App) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(_COLLECT)
            try:
                await self.flush(app)
            except TrunklineError as error:
                log.warning("audit records wait to be stored: %s", error.message)
                await asyncio.sleep(_PATIENCE)
            self._tell_dropped()

    async def flush(self, app: App) -> None:
        """Store all that has waited until now; raises what the system database raises, and then it waits on."""
        # A cancelled round must not leave a thread behind that still stores what the next round would store again.
        await asyncio.shield(self._flush(app))

    async def _flush(self, app: App) -> None:
        async with self._writing:
            while self._waiting or self._unsaved:
                fresh = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                self._unsaved.extend(fresh)
                if fresh:
                    await in_thread(self._write_lines, fresh)
                batch = [self._unsaved[index] for index in range(min(_BATCH, len(self._unsaved)))]
                self.dropped += await in_thread(_save, app, batch)
                for _one in batch:
                    self._unsaved.popleft()
            self._some.clear()

    def _write_lines(self, records: list[AuditRecord]) -> None:
        """Append to the file, which is opened anew, so that it can be moved away; or log."""
        path = self._settings.log
        if path is None:
            if lines.isEnabledFor(logging.INFO):
                for record in records:
                    lines.info("audit", extra=record.line())
            return
        text = b"".join(json.dumps(record.line()) + b"\n" for record in records)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab", buffering=0) as file:
                file.write(text)
        except OSError:
            log.exception("%d audit records are not in the file of AUDIT_LOG", len(records))

    def _tell_dropped(self) -> None:
        if self.dropped > self._told_dropped:
            log.error("%d audit records were dropped, %d in all", self.dropped - self._told_dropped, self.dropped)
            self._told_dropped = self.dropped

    async def _purge_on(self, app: App) -> None:
        """Delete what is too old, once an hour on one of the workers."""
        while self._settings.retention_days and not self._ending.is_set():
            try:
                mine = await in_thread(app.cache.add, "audit:purge", 1, _PURGE_EVERY)
                while mine and not self._ending.is_set():
                    mine = await in_thread(purge, app, self._settings.retention_days) > 0
            except Exception:
                log.exception("old audit records could not be deleted")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _PURGE_EVERY)


def _save(app: App, records: list[AuditRecord]) -> int:
    """Store records; answer how many the database will never take. Raises Unavailable when it is not there."""
    rows = [record.row() for record in records]
    try:
        app.database.change(lambda connection: connection.execute(sa.insert(audit), rows), which=None)
    except TrunklineError:
        raise
    except Exception:
        log.exception("audit records could not be stored")
        # One record must not keep all others from being stored.
        return sum(_save(app, [record]) for record in records) if len(records) > 1 else 1
    return 0


def purge(app: App, days: int) -> int:
    """Delete some records older than ``days``, not all at once, so that nobody waits for long; answer how many."""
    before = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    old = sa.select(audit.c.id).where(audit.c.time < before).order_by(audit.c.id).limit(_PURGE_AT_ONCE)

    def some(connection: sa.Connection) -> int:
        ids = list(connection.scalars(old))
        if ids:
            connection.execute(sa.delete(audit).where(audit.c.id <= ids[-1], audit.c.time < before))
        return len(ids)

    return app.database.change(some, which=None)
