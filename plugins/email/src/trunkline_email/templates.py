"""Templates of mails, as the platform keeps them (connectors 5.3)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from trunkline import json
from trunkline.app import App
from trunkline.errors import BadRequest, NotFound
from trunkline_system.models.email_template import email_template as table

_FIELDS = (
    "to", "cc", "bcc", "subject", "body_text", "body_html", "from_name", "from_email", "reply_to_name",
    "reply_to_email", "attachment",
)  # fmt: skip


async def template(app: App, name: Any, key: Any) -> dict[str, Any] | None:
    """Answer what a template says: its columns, and over them its defaults. None when none is named.

    Raises NotFound for an unknown one.
    """
    if name not in (None, ""):
        if not isinstance(name, str):
            raise BadRequest("The template must be a name.")
        condition, missing = table.c.name == name, NotFound(f"Email Template '{name}' not found")
    elif key not in (None, ""):
        missing = NotFound(f"Email Template id '{key}' not found")
        if isinstance(key, bool) or not str(key).isdecimal() or int(key) >= 2**31:
            raise missing
        condition = table.c.id == int(key)
    else:
        return None
    query = sa.select(table).where(condition)
    row = await app.database.aread(lambda connection: connection.execute(query).mappings().first())
    if row is None:
        raise missing
    columns = {field: row[field] for field in _FIELDS if row[field] not in (None, "")}
    if "attachment" in columns:
        columns["attachment"] = json.loads(columns["attachment"])
    defaults = json.loads(row["defaults"]) if row["defaults"] else {}
    return columns | defaults if isinstance(defaults, dict) else columns
