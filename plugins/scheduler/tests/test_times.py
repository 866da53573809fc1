from datetime import UTC, datetime

import pytest

from trunkline_scheduler import times


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "frequency", "now", "last", "following"),
    [
        (None, 5, "2026-01-02 03:07:30", "2026-01-02 03:05:00", "2026-01-02 03:10:00"),
        (None, 1, "2026-01-02 03:07:00", "2026-01-02 03:07:00", "2026-01-02 03:08:00"),
        ("30 2 * * *", 5, "2026-01-02 03:07:30", "2026-01-02 02:30:00", "2026-01-03 02:30:00"),
        ("30 2 * * *", 5, "2026-01-02 02:30:00", "2026-01-02 02:30:00", "2026-01-03 02:30:00"),
        ("*/10 * * * * *", 5, "2026-01-02 03:07:35", "2026-01-02 03:07:30", "2026-01-02 03:07:40"),
        ("0 0 29 2 *", 5, "2026-01-02 00:00:00", "2024-02-29 00:00:00", "2028-02-29 00:00:00"),
        ("0 9 * * MON", 5, "2026-01-02 00:00:00", "2025-12-29 09:00:00", "2026-01-05 09:00:00"),
    ],
)
def test_tasks_are_due_when_they_say(schedule: str | None, frequency: int, now: str, last: str, following: str) -> None:
    assert times.last_due(schedule, frequency, at(now)) == at(last)
    assert times.next_due(schedule, frequency, at(now)) == at(following)


@pytest.mark.parametrize(
    "schedule", ["", "x", "* * * *", "60 * * * *", "0 0 30 2 *", "* * * * * * *", "; rm -rf", "a" * 999]
)
def test_what_is_never_due_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match="cron"):
        times.check(schedule)
