"""Users and administrators: one table, two resources (system-api 7.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from trunkline import passwords
from trunkline.app import App
from trunkline.call import Call
from trunkline.db import tables
from trunkline.errors import BadRequest, Forbidden
from trunkline_system.codes import is_expired
from trunkline_system.fields import invalid
from trunkline_system.model import STAMPS, Model, Relation, Row, Work
from trunkline_system.models.lookup import Lookup

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def _app() -> type[Model]:
    from trunkline_system.models.app import AppModel

    return AppModel


def _role() -> type[Model]:
    from trunkline_system.models.role import Role

    return Role


class Assignment(Model):
    """Which role a user has with which app."""

    table = tables.user_to_app_to_role

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Check that app, role and user exist, and that there is one assignment per user and app."""
        values = super().values(work, given, row)
        for name, table in (("app_id", tables.app), ("role_id", tables.role), ("user_id", tables.user)):
            key = values.get(name)
            if key is None and row is None:
                raise invalid(name, f"The {name} field is required.")
            if key is not None and work.connection.scalar(sa.select(table.c.id).where(table.c.id == key)) is None:
                raise invalid(name, f"The selected {name} is invalid.")
        pair = {name: values.get(name, row[name] if row is not None else None) for name in ("user_id", "app_id")}
        query = sa.select(cls.table.c.id).where(*(cls.table.c[name] == value for name, value in pair.items()))
        if row is not None:
            query = query.where(cls.table.c.id != row["id"])
        if work.connection.scalar(query) is not None:
            raise BadRequest(
                "Multiple user-to-app-to-role assignment. You can only have a single user-to-app-to-role assignment."
            )
        return values


class UserModel(Model):
    """A user who is not an administrator."""

    table = tables.user
    resource = "user"
    hidden = frozenset({"password", "security_answer", "confirm_code", "token_epoch", "is_sys_admin", "remember_token"})
    read_only = frozenset({"id", "last_login_date"}) | STAMPS
    computed = frozenset({"confirmed", "expired"})
    shapes = {name: {"type": "boolean", "readOnly": True} for name in ("confirmed", "expired")}  # noqa: RUF012 - declared as a ClassVar by the parent
    relations = {  # noqa: RUF012 - declared as a ClassVar by the parent
        "lookup_by_user_id": Relation("has_many", lambda: Lookup, "user_id"),
        "user_to_app_to_role_by_user_id": Relation("has_many", lambda: Assignment, "user_id"),
        "app_by_user_to_app_to_role": Relation("many_many", _app, "user_id", tables.user_to_app_to_role, "app_id"),
        "role_by_user_to_app_to_role": Relation("many_many", _role, "user_id", tables.user_to_app_to_role, "role_id"),
    }
    are_admins = False

    @classmethod
    def scope(cls, _call: Call) -> sa.ColumnElement[bool]:
        """Each resource sees its own kind."""
        return cls.table.c.is_sys_admin.is_(cls.are_admins)

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Add what is computed from the confirmation code."""
        shown = super().shown(app, row)
        if row["last_login_date"] is not None:
            shown["last_login_date"] = row["last_login_date"].strftime("%Y-%m-%d %H:%M:%S")
        return {**shown, "confirmed": row["confirm_code"] in (None, "y"), "expired": is_expired(row["confirm_code"])}

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Derive the name, check addresses and password, end sessions when password or activity changes."""
        values = super().values(work, _words_as_values(given), row)
        if row is None or "email" in values:
            values["email"] = _checked_email(values.get("email"))
        if row is None:
            values["is_sys_admin"] = cls.are_admins
            values.setdefault("username", None)
            values["username"] = values["username"] or values["email"]
            values["name"] = values.get("name") or _name_of(values)
        if row is not None and "username" in values:
            values["username"] = values["username"] or values.get("email", row["email"])
        # An address is a name as it is; only one that somebody chose has rules.
        if values.get("username") not in (None, values.get("email", row["email"] if row is not None else None)):
            _check_username(values["username"])
        cls._check_unique(work, {name: values[name] for name in ("email", "username") if name in values}, row)
        values |= _secrets(work, given, row)
        if row is not None and ("password" in values or values.get("is_active") is False):
            values["token_epoch"] = row["token_epoch"] + 1
        if row is not None and ("password" in values or values.get("email", row["email"]) != row["email"]):
            # A code that was mailed before is not for this password, or not to this address.
            values["confirm_code"] = None
        return values

    @classmethod
    def derived(cls, record: Mapping[str, Any]) -> dict[str, Any]:
        """Call a user by first and last name, or by the address."""
        return {"username": record["email"], "name": _name_of(record)}

    @classmethod
    def before_delete(cls, work: Work, row: Row) -> None:
        """Nobody deletes the account in use."""
        if work.user_id == row["id"]:
            raise Forbidden("Cannot delete your account.")


class AdminModel(UserModel):
    """An administrator."""

    resource = "admin"
    are_admins = True


def _words_as_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Take "true", "false" and "null" for what they say; nothing that was sent is dropped (D23)."""
    meant = {"true": True, "false": False, "null": None}
    kept = frozenset({"password", "security_answer", "name", "first_name", "last_name"})
    return {
        name: meant.get(value, value) if isinstance(value, str) and name not in kept else value
        for name, value in given.items()
    }


def _checked_email(email: Any) -> str:
    if not isinstance(email, str) or not _EMAIL.fullmatch(email):
        raise invalid("email", "The email field must be a valid email address.")
    return email


def _check_username(username: str) -> None:
    if len(username) < 6:
        raise invalid("username", "The username field must be at least 6 characters.")
    if re.search(r"\s", username):
        raise invalid("username", "The username field must not contain blanks.")


def _name_of(values: Mapping[str, Any]) -> str:
    full = " ".join(part for part in (values.get("first_name"), values.get("last_name")) if part)
    return full or str(values["email"]).partition("@")[0]


def _secrets(work: Work, given: Mapping[str, Any], row: Row | None) -> dict[str, Any]:
    """Hash password and security answer; an empty password on update means unchanged."""
    values: dict[str, Any] = {}
    if given.get("password") not in (None, ""):
        password = passwords.check_policy(given["password"], work.app.settings.password_length)
        values["password"] = passwords.hashed(password)
    if given.get("security_answer") not in (None, ""):
        values["security_answer"] = passwords.hashed(str(given["security_answer"]))
    if row is None and "security_answer" in given and not given["security_answer"]:
        values["security_answer"] = None
    return values
