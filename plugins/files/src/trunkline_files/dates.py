"""Times as the dialect writes them: ``Tue, 04 Mar 2025 10:11:12 GMT``."""

from __future__ import annotations

from email.utils import formatdate, parsedate_to_datetime


def written(moment: float | None) -> str | None:
    """Write a time, in epoch seconds; None stays None."""
    return None if moment is None else formatdate(moment, usegmt=True)


def read(text: str) -> float | None:
    """Read a time from a header, in epoch seconds; None when it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None
