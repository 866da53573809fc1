"""Logging: JSON lines by default, with the request id that the client was given."""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from trunkline import json
from trunkline.settings import Settings

# What every log record has; all else on a record was given as ``extra`` and is shown.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a line, so that no message can forge another line."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _USUAL and value is not None}
        if record.exc_info and record.exc_info[0] is not None:
            line["stack"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line).decode()


def configure(settings: Settings) -> None:
    """Set up the root logger from the settings; safe to call again."""
    channel = settings.log_channel
    streams = {"stdout": sys.stdout, "stderr": sys.stderr, "stack": sys.stderr, "errorlog": sys.stderr}
    handler: logging.Handler = (
        logging.StreamHandler(streams[channel])
        if channel in streams
        else logging.FileHandler(channel, encoding="utf-8")
    )
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if settings.log_format == "json" else text)
    level = {"notice": "info"}.get(settings.log_level, settings.log_level)
    logging.basicConfig(handlers=[handler], level="DEBUG" if settings.debug else level.upper(), force=True)
    # Libraries below us may log statements with their values at lower levels.
    for noisy in ("sqlalchemy", "hypercorn.access", "alembic", "aiosqlite", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
