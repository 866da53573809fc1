"""Addresses as clients write them: a text, an object with a name, or a list of either (connectors 5.2)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from email.headerregistry import Address
from typing import Any

import idna

from trunkline.errors import BadRequest

# Line separators, controls and lone surrogates: nothing of these belongs into a header (checklist 7).
_FORBIDDEN = frozenset({"Cc", "Zl", "Zp", "Cs"})
_SHOWN = 120
# What stands before the @ unquoted (RFC 5321, and RFC 6531 beyond ASCII).
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a1-\U0010ffff]+"
_LOCAL = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_LONGEST_LOCAL = 64


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Somebody who sends or gets mail; the domain is in ASCII form, the part before it may not be."""

    local: str
    domain: str
    name: str = ""

    @property
    def address(self) -> str:
        """The address alone."""
        return f"{self.local}@{self.domain}"

    @property
    def header(self) -> Address:
        """The form that headers take."""
        return Address(self.name, self.local, self.domain)


def single_line(value: Any, field: str) -> str:
    """Answer text for a header; raises BadRequest where it could begin another one."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        value = str(value)
    if not isinstance(value, str):
        raise BadRequest(f"The {field} must be text.")
    text = value.strip()
    if any(unicodedata.category(one) in _FORBIDDEN for one in text):
        raise BadRequest(f"The {field} must be a single line without control characters.")
    return text


def mailbox(value: Any, name: Any = None, *, field: str) -> Mailbox:
    """Read one address. Raises BadRequest ``Invalid email - 'x'.``

    The original left out whatever cannot stand in an address; what is left may be somebody else's, so only blanks
    round it are.
    """
    if isinstance(value, dict):
        value, name = value.get("email"), value.get("name", name)
    text = value.strip() if isinstance(value, str) else ""
    local, _, host = text.rpartition("@")
    domain = _ascii(host)
    if domain is None or not _is_local(local):
        shown = "".join(one for one in text if unicodedata.category(one) not in _FORBIDDEN)[:_SHOWN]
        raise BadRequest(f"Invalid email - '{shown}'.", context={field: [f"Invalid email - '{shown}'."]})
    return Mailbox(local, domain, single_line(name, f"name in {field}"))


def _is_local(text: str) -> bool:
    """Say whether text can stand before the @; no letter of it is a separator, a control or unassigned."""
    known = all(one.isascii() or unicodedata.category(one)[0] not in "CZ" for one in text)
    return known and _LOCAL.fullmatch(text) is not None and len(text.encode()) <= _LONGEST_LOCAL


def _ascii(host: str) -> str | None:
    """Answer the ASCII form of a host's name (IDNA 2008), or None when it is none."""
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return None


def mailboxes(value: Any, *, field: str) -> tuple[Mailbox, ...]:
    """Read one address or a list of them; nothing gives none."""
    if value in (None, "", [], {}):
        return ()
    values = value if isinstance(value, list) else [value]
    return tuple(mailbox(one, field=field) for one in values)
