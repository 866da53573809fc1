"""Lookups: ``{name}`` in configuration, filters and records stands for a value kept elsewhere (system-api 12)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.call import Call
    from trunkline.db.records import LookupRecord

_PATTERN = re.compile(r"\{(\w[\w.\-|()]*)\}")
_CALL = re.compile(r"(\w+)\((.*)\)")

_MODIFIERS: dict[str, Callable[[str], str]] = {
    "strtoupper": str.upper,
    "strtolower": str.lower,
    "ucfirst": lambda text: text[:1].upper() + text[1:],
    "lcfirst": lambda text: text[:1].lower() + text[1:],
    "ucwords": lambda text: re.sub(r"(^|\s)\S", lambda found: found.group().upper(), text),
    "urlencode": quote_plus,
    "urldecode": unquote_plus,
    "rawurlencode": lambda text: quote(text, safe=""),
    "rawurldecode": unquote,
    "base64_encode": lambda text: base64.b64encode(text.encode()).decode(),
    "base64_decode": lambda text: base64.b64decode(text.encode()).decode("utf-8", "replace"),
    "trim": str.strip,
}


class Lookups:
    """What one caller sees: built-ins first, then the rows of system, app, role and user, later ones winning."""

    def __init__(
        self,
        built_in: Mapping[str, Any],
        *owners: tuple[LookupRecord, ...],
        modifiers: frozenset[str] = frozenset(_MODIFIERS),
    ) -> None:
        """Merge the owners' rows in the order given; ``modifiers`` are the functions allowed."""
        self._built_in = built_in
        self._rows = {row.name: row for rows in owners for row in rows if row.value is not None}
        self._modifiers = modifiers

    def value(self, name: str, *, private: bool = False) -> Any:
        """Answer the value for a name, perhaps wrapped in modifiers; None when there is none.

        Private rows answer only where ``private`` use is allowed.
        """
        if (call := _CALL.fullmatch(name)) is not None:
            modifier = _MODIFIERS.get(call.group(1)) if call.group(1) in self._modifiers else None
            inner = self.value(call.group(2), private=private) if modifier else None
            return modifier(str(inner)) if modifier and inner is not None else None
        if (found := self._built_in.get(name)) is not None:
            return found
        row = self._rows.get(name)
        return row.value if row is not None and (private or not row.private) else None

    def fill(self, value: Any, *, private: bool = False) -> Any:
        """Replace lookups in text, also inside lists and dictionaries (values only); unknown ones stay."""
        if isinstance(value, str):
            if "{" not in value:
                return value
            return _PATTERN.sub(lambda found: self._text(found, private), value)
        if isinstance(value, dict):
            return {key: self.fill(one, private=private) for key, one in value.items()}
        if isinstance(value, list):
            return [self.fill(one, private=private) for one in value]
        return value

    def _text(self, found: re.Match[str], private: bool) -> str:
        value = self.value(found.group(1), private=private)
        return found.group() if value is None else _as_text(value)


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


NO_LOOKUPS = Lookups({})

_USER_FIELDS = (
    "id",
    "name",
    "username",
    "first_name",
    "last_name",
    "email",
    "is_sys_admin",
    "last_login_date",
    "ldap_username",
)


def of_call(app: App, call: Call) -> Lookups:
    """Answer what a call may look up: built-ins of session, user, role, app and host, then the owners' rows."""
    caller = call.caller
    built_in: dict[str, Any] = {
        "df.host_url": call.base_url,
        "df.name": app.settings.app_name,
        "df.api_version": call.version,
        "df.version": version("trunkline"),
        "df.confirm_invite_url": app.settings.page("invite"),
        "df.confirm_register_url": app.settings.page("register"),
        "df.confirm_reset_url": app.settings.page("reset"),
    }
    if caller.session is not None:
        built_in |= {"session.id": caller.session.token, "session.token": caller.session.token}
    if (user := caller.user) is not None:
        built_in |= {f"user.{name}": getattr(user, name) for name in _USER_FIELDS}
        built_in["user.display_name"] = user.name
    if (role := caller.role) is not None:
        built_in |= {"role.id": role.id, "role.name": role.name}
    if (record := caller.app) is not None:
        built_in |= {"app.id": record.id, "app.api_key": record.api_key}
    snapshot = app.directory.snapshot
    return Lookups(
        built_in,
        snapshot.lookups_of("system", None),
        snapshot.lookups_of("app", record.id if record else -1),
        snapshot.lookups_of("role", role.id if role else -1),
        snapshot.lookups_of("user", user.id if user else -1),
        modifiers=frozenset(app.settings.lookup_modifiers.split(",")),
    )
