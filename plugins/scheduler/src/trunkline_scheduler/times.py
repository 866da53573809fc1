"""When a task is due: every so many minutes, or by a cron expression; times are UTC (epoch seconds)."""

from __future__ import annotations

from datetime import UTC, datetime

from cronsim import CronSim, CronSimError


def check(schedule: str) -> None:
    """Raise ValueError for what is no cron expression of five fields, or six with seconds in front, or never due."""
    try:
        next(_times(schedule, datetime.now(UTC)))
    except (CronSimError, StopIteration, ValueError):
        raise ValueError("not a cron expression that ever is due") from None


def last_due(schedule: str | None, frequency: int, now: float) -> float:
    """Answer the latest time until ``now`` at which a task was due."""
    if not schedule:
        seconds = frequency * 60
        return now // seconds * seconds
    moment = datetime.fromtimestamp(now, UTC).replace(microsecond=0)
    # The expression names times before the one it is asked from, so that one counts as well.
    return next(_times(schedule, datetime.fromtimestamp(moment.timestamp() + 1, UTC), reverse=True)).timestamp()


def next_due(schedule: str | None, frequency: int, now: float) -> float:
    """Answer the first time after ``now`` at which a task is due."""
    if not schedule:
        return last_due(None, frequency, now) + frequency * 60
    return next(_times(schedule, datetime.fromtimestamp(now, UTC))).timestamp()


def _times(schedule: str, start: datetime, *, reverse: bool = False) -> CronSim:
    return CronSim(schedule, start, reverse=reverse)
