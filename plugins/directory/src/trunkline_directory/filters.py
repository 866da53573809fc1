"""Search filters: made so that no value can be more than a value, and read from clients (checklist 7, RFC 4515)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trunkline.errors import BadRequest

_ATTRIBUTE = r"(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)"
_ITEM = re.compile(rf"\s*({_ATTRIBUTE})(?::({_ATTRIBUTE}))?\s*(:=|~=|>=|<=|=)((?:[^()\\\0]|\\[0-9A-Fa-f]{{2}})*)")
_DEEPEST, _LONGEST, _MOST_ITEMS = 20, 4000, 100
# What no client has a use for, though an account may read it: passwords, also of machines.
SECRET = frozenset(
    {
        "userpassword", "unicodepwd", "dbcspwd", "lmpwdhistory", "ntpwdhistory", "supplementalcredentials",
        "unixuserpassword", "msds-managedpassword", "ms-mcs-admpwd", "mslaps-password", "mslaps-encryptedpassword",
        "mslaps-encryptedpasswordhistory", "msds-keycredentiallink", "msfve-recoverypassword", "pwdhistory",
        "sambantpassword", "sambalmpassword", "krbprincipalkey",
    }
)  # fmt: skip


def escaped(value: str | bytes) -> str:
    """Write a value so that nothing in it means anything: every byte is escaped."""
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return "".join(f"\\{byte:02x}" for byte in raw)


def same(attribute: str, value: str | bytes) -> str:
    """Select the entries that have a value."""
    return f"({attribute}={escaped(value)})"


def all_of(*filters: str) -> str:
    """Select what all filters select."""
    return f"(&{''.join(filters)})"


def any_of(*filters: str) -> str:
    """Select what any of the filters selects."""
    return f"(|{''.join(filters)})"


def of_client(text: str) -> str:
    """Read a filter of a client's and write it anew, every value escaped; raises BadRequest for what is none."""
    plain = text.strip()
    if len(plain) > _LONGEST:
        raise BadRequest("The filter is too long.")
    reader = _Reader(plain if plain.startswith("(") else f"({plain})")
    found = reader.filter(0)
    if reader.rest().strip():
        raise BadRequest("The filter goes on after its end.")
    return found


@dataclass(slots=True)
class _Reader:
    """Reads a filter from left to right."""

    text: str
    place: int = 0
    items: int = 0

    def rest(self) -> str:
        return self.text[self.place :]

    def filter(self, depth: int) -> str:
        """Read one filter in parentheses."""
        if depth > _DEEPEST:
            raise BadRequest("The filter is too deep.")
        self._take("(")
        self._skip()
        sign = self.text[self.place : self.place + 1]
        if sign in ("&", "|", "!"):
            self.place += 1
            inner = [self.filter(depth + 1)]
            self._skip()
            while sign != "!" and self.text[self.place : self.place + 1] == "(":
                inner.append(self.filter(depth + 1))
                self._skip()
            found = f"({sign}{''.join(inner)})"
        else:
            found = self._item()
        self._take(")")
        return found

    def _item(self) -> str:
        match = _ITEM.match(self.text, self.place)
        self.items += 1
        if match is None or self.items > _MOST_ITEMS:
            raise BadRequest("The filter is not one that directories know, such as (&(cn=a*)(mail=*)).")
        attribute, rule, sign, value = match.groups()
        if attribute.lower() in SECRET:
            raise BadRequest(f"The filter asks for '{attribute}', which is secret.")
        if rule is not None and sign != ":=":
            raise BadRequest("The filter has a matching rule in the wrong place.")
        self.place = match.end()
        pieces = [
            re.sub(rb"\\([0-9A-Fa-f]{2})", _byte, one.encode("utf-8", "surrogatepass")) for one in value.split("*")
        ]
        if len(pieces) > 1 and sign != "=":
            raise BadRequest("The filter has an asterisk where only a value can stand.")
        return f"({attribute}{f':{rule}' if rule else ''}{sign}{'*'.join(map(escaped, pieces))})"

    def _take(self, sign: str) -> None:
        self._skip()
        if self.text[self.place : self.place + 1] != sign:
            raise BadRequest(f"The filter lacks a '{sign}'.")
        self.place += 1

    def _skip(self) -> None:
        while self.text[self.place : self.place + 1].isspace():
            self.place += 1


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode())
