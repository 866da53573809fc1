"""The templates that every instance begins with; operators change them as they like (system-api 6.1 and 7.9)."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline_system.fields import json_text
from trunkline_system.models.email_template import email_template

if TYPE_CHECKING:
    from trunkline.app import App

_HTML = (
    "<h2>{{content_header}}</h2>\n<p>Hello {{first_name}},</p>\n<p>{told}</p>\n"
    '<p><a href="{{link}}">{{link}}</a></p>\n<p>The code is <strong>{{confirm_code}}</strong>.</p>\n<p>{ignore}</p>\n'
)
_TEXT = "Hello {{first_name}},\n\n{told}\n\n{{link}}\n\nThe code is {{confirm_code}}.\n\n{ignore}\n"


def _template(name: str, description: str, subject: str, header: str, told: str, ignore: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "subject": subject,
        "body_text": _TEXT.format(told=told, ignore=ignore),
        "body_html": _HTML.format(told=told, ignore=ignore),
        "defaults": json_text({"content_header": header}),
    }


TEMPLATES = (
    _template(
        "User Invite Default",
        "Invites somebody whose account an administrator has made.",
        "Your invitation to {app_name}",
        "You are invited",
        "You have been given an account with {app_name}. Choose a password on this page to begin:",
        "If you did not expect this, you need not do anything.",
    ),
    _template(
        "User Registration Default",
        "Confirms the address of somebody who has registered.",
        "Confirm your registration with {app_name}",
        "Confirm your registration",
        "Thank you for registering with {app_name}. Confirm your address and choose a password on this page:",
        "If you have not registered, somebody else has used your address, and you can ignore this mail.",
    ),
    _template(
        "Password Reset Default",
        "Lets somebody choose a new password.",
        "A new password for {app_name}",
        "Choose a new password",
        "A new password was asked for your account with {app_name}. Choose it on this page:",
        "If you have not asked, your password stays what it is, and you can ignore this mail.",
    ),
)


def ensure_templates(app: App) -> None:
    """Create those that are missing; safe when several workers or nodes start at once."""
    names = [one["name"] for one in TEMPLATES]
    query = sa.select(email_template.c.name).where(email_template.c.name.in_(names))

    def create(connection: sa.Connection) -> None:
        known = set(connection.scalars(query))
        now = datetime.now(UTC).replace(tzinfo=None)
        missing = [
            {**one, "created_date": now, "last_modified_date": now} for one in TEMPLATES if one["name"] not in known
        ]
        if missing:
            connection.execute(sa.insert(email_template), missing)

    if app.database.read(lambda connection: len(list(connection.scalars(query)))) < len(names):
        # On a server the unique names decide, and the node that was faster made the same records.
        with contextlib.suppress(sa.exc.IntegrityError):
            app.database.change(create)
