"""Which web pages of other origins may use the API (system-api 7.8)."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from trunkline.app import App
from trunkline.call import VERBS, verbs_of
from trunkline.db import tables
from trunkline_system.fields import invalid
from trunkline_system.model import Model, Row, Work

ALL_METHODS = {**VERBS, "OPTIONS": 32, "HEAD": 64}
_ORIGIN = re.compile(r"\*|(?:[a-z][a-z0-9+.-]*://)?[a-z0-9.*\[\]:_-]+", re.IGNORECASE)
_HEADER_NAME = re.compile(r"\*|[A-Za-z0-9!#$%&'*+.^_`|~-]+")


cors = sa.Table(
    "cors",
    sa.MetaData(),
    tables.id_column(),
    sa.Column("path", sa.String(255), unique=True, nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("origin", sa.String(1024), nullable=False),
    sa.Column("header", sa.String(1024)),
    sa.Column("exposed_header", sa.String(1024)),
    sa.Column("method", sa.Integer, nullable=False, default=0),
    sa.Column("max_age", sa.Integer, nullable=False, default=0),
    sa.Column("supports_credentials", sa.Boolean, nullable=False, default=False),
    sa.Column("enabled", sa.Boolean, nullable=False, default=True),
    *tables.stamps(),
)


class CorsModel(Model):
    """One rule: for which paths, for which origins, and what these may do."""

    table = cors
    shapes = {"method": {"type": ["array", "integer", "string"], "items": {"type": "string"}}}  # noqa: RUF012 - declared as a ClassVar by the parent
    resource = "cors"

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Show the methods as verbs."""
        return {**super().shown(app, row), "method": methods_of(row["method"])}

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Take verbs or a mask; refuse what could never match, or would match by accident."""
        given = dict(given)
        if "method" in given:
            given["method"] = _mask(given["method"])
        values = super().values(work, given, row)
        if str(values.get("path") or "").startswith("^"):
            try:
                re.compile(values["path"])
            except re.error:
                raise invalid("path", "The path field must be a valid regular expression.") from None
        for name, pattern in (("origin", _ORIGIN), ("header", _HEADER_NAME), ("exposed_header", _HEADER_NAME)):
            for one in listed(values.get(name)):
                if pattern.fullmatch(one) is None:
                    raise invalid(name, f"The {name.replace('_', ' ')} field has an invalid entry '{one[:64]}'.")
        if values.get("max_age", 0) < 0:
            raise invalid("max_age", "The max age field must be at least 0.")
        return values


def listed(text: str | None) -> list[str]:
    """Split a comma list."""
    return [one.strip() for one in (text or "").split(",") if one.strip()]


def methods_of(mask: int) -> list[str]:
    """List the methods in a mask."""
    return [*verbs_of(mask), *(name for name in ("OPTIONS", "HEAD") if mask & ALL_METHODS[name])]


def _mask(given: Any) -> Any:
    if isinstance(given, str) and not given.strip().isdigit():
        given = listed(given)
    if not isinstance(given, list):
        return given
    unknown = [one for one in given if str(one).upper() not in ALL_METHODS]
    if unknown:
        raise invalid("method", f"The method field has an unknown verb '{str(unknown[0])[:32]}'.")
    return sum({ALL_METHODS[str(one).upper()] for one in given})
