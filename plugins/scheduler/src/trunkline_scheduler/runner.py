"""Running tasks when they are due: every worker watches the clock, and the system database says whose turn it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline import hookimpl, json
from trunkline.call import Call, Reply, verbs_of
from trunkline.errors import NotFound, TrunklineError
from trunkline.identify import caller_of
from trunkline.pipeline import failed, perform
from trunkline.query import parse_query
from trunkline.revisions import CONFIG
from trunkline.threads import in_thread
from trunkline_scheduler import times
from trunkline_scheduler.table import run, scheduler, task_log

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline_system.model import Row

log = logging.getLogger(__name__)

# Seconds for which a run is believed without a new sign of life, and between these signs.
BELIEVED, SIGN_OF_LIFE = 30.0, 10.0
# Seconds after which a run that nobody took is over: a gateway that was down does not make up for hours.
LATE = 300.0
# Seconds between looks at the clock and at what is due, at most; most of them only compare two numbers.
_LONGEST_NAP = 1.0
_KEPT_LOGS, _MOST_CONTENT = 20, 64 * 2**10


class Runner:
    """Watches the tasks of one application."""

    def __init__(self) -> None:
        """Know no task yet."""
        self._tasks: Sequence[Row] = ()
        self._revision = -1
        # Until when this worker has looked: what was due before has been decided.
        self._looked_at = 0.0
        self._running: set[asyncio.Task[None]] = set()

    @hookimpl
    def lifespan(self, app: App) -> AbstractAsyncContextManager[None]:
        """Watch while the application runs."""
        return self._alive(app)

    @contextlib.asynccontextmanager
    async def _alive(self, app: App) -> AsyncIterator[None]:
        # What was due while nobody watched can still be made up for.
        self._looked_at = time.time() - LATE
        watching = asyncio.create_task(self._watch(app))
        try:
            yield
        finally:
            watching.cancel()
            for one in self._running:
                one.cancel()
            await asyncio.gather(watching, *self._running, return_exceptions=True)

    async def _watch(self, app: App) -> None:
        while True:
            await asyncio.sleep(self._nap())
            try:
                await self.look(app)
            except TrunklineError as error:
                log.warning("scheduled tasks wait: %s", error.message)
            except Exception:
                log.exception("the scheduler failed, and goes on")

    def _nap(self) -> float:
        now = time.time()
        upcoming = [times.next_due(one["schedule"], one["frequency"], self._looked_at) - now for one in self._tasks]
        return max(0.0, min([_LONGEST_NAP, *upcoming]))

    async def look(self, app: App) -> None:
        """Start what has become due since the last look and nobody else has taken."""
        revision = app.database.revisions[CONFIG]
        if revision != self._revision:
            self._tasks = await app.database.aread(_active)
            self._revision = revision
        since, now = self._looked_at, time.time()
        for task in self._tasks:
            due = times.last_due(task["schedule"], task["frequency"], now)
            # A task that is made or switched on now does not make up for what was before.
            known = task["last_modified_date"].replace(tzinfo=UTC).timestamp()
            if due > max(since, known) and now - due < LATE and await in_thread(take, app, task["id"], due):
                one = asyncio.create_task(self._run(app, task))
                self._running.add(one)
                one.add_done_callback(self._running.discard)
        self._looked_at = now

    async def _run(self, app: App, task: Row) -> None:
        alive = asyncio.create_task(_say_so(app, task["id"]))
        try:
            reply = await answer(app, task)
            await in_thread(_note, app, task["id"], reply)
        except Exception:
            log.exception("scheduled task %s could not be noted", task["id"])
        finally:
            alive.cancel()
            with contextlib.suppress(Exception):
                await asyncio.shield(in_thread(_busy, app, task["id"], 0.0))


async def answer(app: App, task: Row) -> Reply:
    """Make the call of a task as whoever it is to be made by; never raises."""
    call = Call(next(iter(verbs_of(task["verb_mask"]))), "", request_id=secrets.token_hex(8))
    try:
        snapshot = await app.directory.fresh()
        record = snapshot.services_by_id.get(task["service_id"])
        if record is None:
            raise NotFound("The service of this task is gone.")
        path, _, query = (task["component"] or "").partition("?")
        call.service, call.path = record.name.lower(), tuple(one for one in path.split("/") if one)
        call.params = parse_query(query.encode()) if query else {}
        if task["payload"]:
            call.body, call.raw = json.loads(task["payload"]), task["payload"].encode()
            call.media_type = "application/json"
        call.caller = await caller_of(app, task["user_id"], task["app_id"])
        return await perform(app, call)
    except Exception as error:
        return failed(call, error)


def _active(connection: sa.Connection) -> Sequence[Row]:
    return connection.execute(sa.select(scheduler).where(scheduler.c.is_active)).mappings().all()


def take(app: App, task_id: int, due: float) -> bool:
    """Take a run for this worker; of all that try, one gets it, and none while an earlier run goes on."""
    now = time.time()
    free = sa.and_(run.c.task_id == task_id, run.c.due < due, run.c.busy_until < now)
    claim = sa.update(run).where(free).values(due=due, busy_until=now + BELIEVED)

    def work(connection: sa.Connection) -> bool:
        if connection.execute(claim).rowcount == 1:
            return True
        if connection.execute(sa.select(run.c.task_id).where(run.c.task_id == task_id)).first() is not None:
            return False
        connection.execute(sa.insert(run).values(task_id=task_id, due=due, busy_until=now + BELIEVED))
        return True

    try:
        return app.database.change(work, which=None)
    except sa.exc.IntegrityError:
        # Somebody else was quicker with the first run, or the task was deleted.
        return False


async def _say_so(app: App, task_id: int) -> None:
    """Give a sign of life now and then while a run goes on."""
    while True:
        await asyncio.sleep(SIGN_OF_LIFE)
        with contextlib.suppress(TrunklineError):
            await in_thread(_busy, app, task_id, time.time() + BELIEVED)


def _busy(app: App, task_id: int, until: float) -> None:
    change = sa.update(run).where(run.c.task_id == task_id).values(busy_until=until)
    app.database.change(lambda connection: connection.execute(change), which=None)


def _note(app: App, task_id: int, reply: Reply) -> None:
    """Keep what came of a run, and of the runs before only the latest."""
    values = {
        "task_id": task_id,
        "status_code": reply.status,
        "content": _text(reply.content)[:_MOST_CONTENT],
        "created_date": datetime.now(UTC).replace(tzinfo=None),
    }

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.insert(task_log).values(values))
        mine = task_log.c.task_id == task_id
        latest = connection.scalars(sa.select(task_log.c.id).where(mine).order_by(task_log.c.id.desc())).all()
        if len(latest) > _KEPT_LOGS:
            connection.execute(sa.delete(task_log).where(mine, task_log.c.id <= latest[_KEPT_LOGS]))

    app.database.change(work, which=None)


def _text(content: Any) -> str:
    if isinstance(content, bytes):
        return content.decode("utf-8", "replace")
    return json.dumps(content).decode()
