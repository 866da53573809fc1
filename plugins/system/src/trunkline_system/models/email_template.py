"""Templates of mails (system-api 7.9)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from trunkline.app import App
from trunkline.db import tables
from trunkline_system.fields import from_json, incoming, invalid, json_text, words
from trunkline_system.model import Model, Row, Work

# What becomes part of a mail's header, where a line break would begin another header.
_HEADERS = ("to", "cc", "bcc", "subject", "from_name", "from_email", "reply_to_name", "reply_to_email")

email_template = sa.Table(
    "email_template",
    sa.MetaData(),
    tables.id_column(),
    sa.Column("name", sa.String(64), unique=True, nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("to", sa.Text),
    sa.Column("cc", sa.Text),
    sa.Column("bcc", sa.Text),
    # JSON: a string, a list or an object.
    sa.Column("attachment", sa.Text),
    sa.Column("subject", sa.String(80)),
    sa.Column("body_text", tables.LONG_TEXT),
    sa.Column("body_html", tables.LONG_TEXT),
    sa.Column("from_name", sa.String(80)),
    sa.Column("from_email", sa.String(255)),
    sa.Column("reply_to_name", sa.String(80)),
    sa.Column("reply_to_email", sa.String(255)),
    # JSON: values for placeholders that the sender leaves out.
    sa.Column("defaults", sa.Text),
    *tables.stamps(),
)


class EmailTemplateModel(Model):
    """A template; its placeholders are filled by who sends the mail."""

    table = email_template
    shapes = {"attachment": {}, "defaults": {}}  # noqa: RUF012 - declared as a ClassVar by the parent
    resource = "email_template"

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Show attachment and defaults as what they are."""
        parsed = {name: from_json(row[name], None) for name in ("attachment", "defaults")}
        return {**super().shown(app, row), **parsed}

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Check the form of attachment and defaults, and that nothing can slip into the header of a mail."""
        if (row is None or "name" in given) and given.get("name") in (None, ""):
            raise invalid("name", "The Template Name field is required.")
        rest = {name: value for name, value in given.items() if name not in ("attachment", "defaults")}
        values = super().values(work, rest, row)
        for name in _HEADERS:
            if set(values.get(name) or "") & {"\r", "\n"}:
                raise invalid(name, f"The {words(name)} field must be a single line.")
        if "attachment" in given:
            values["attachment"] = json_text(_attachment(given["attachment"]))
        if "defaults" in given:
            if not isinstance(given["defaults"], dict | list | str | None):
                raise invalid("defaults", "The defaults field must be an object.")
            values["defaults"] = json_text(given["defaults"])
        return values


def _attachment(given: Any) -> Any:
    """Take a path, several or an object; a text with commas is a list (system-api 7.9)."""
    if isinstance(given, dict | None):
        return given
    if isinstance(given, list):
        if not all(isinstance(one, str | dict) for one in given):
            raise invalid("attachment", "The attachment field must be a list of texts or objects.")
        return given
    text = incoming(email_template.c.attachment, given)
    parts = [one.strip() for one in text.split(",") if one.strip()]
    return parts if len(parts) > 1 else text
