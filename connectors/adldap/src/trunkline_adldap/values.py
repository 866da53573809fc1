"""What Active Directory keeps in forms of its own: times, identifiers, lists."""

from __future__ import annotations

import base64
import datetime as dt
import re
import uuid
from collections.abc import Sequence
from typing import Any

from trunkline_directory import Entry
from trunkline_directory.filters import SECRET
from trunkline_directory.names import normal

# Seconds from 1601 to 1970, and the two values that stand for never.
_EPOCH = 11_644_473_600
_NEVER = (0, 2**63 - 1)
_TIMES = frozenset(
    {"accountexpires", "pwdlastset", "lastlogon", "lastlogontimestamp", "lastlogoff", "badpasswordtime", "lockouttime"}
)
_LISTS = frozenset(
    {"member", "memberof", "objectclass", "proxyaddresses", "serviceprincipalname", "directreports", "managedobjects"}
)
_NUMBERS = frozenset(
    {"useraccountcontrol", "grouptype", "samaccounttype", "primarygroupid", "logoncount", "badpwdcount"}
)
_STAMP = re.compile(r"(\d{14})\.0Z")


def domain_of(base: str) -> str:
    """Answer what stands behind account names of a domain, ``@example.org`` for ``DC=example,DC=org``."""
    parts = [value for part in normal(base) or () for kind, value in part if kind == "dc"]
    return "@" + ".".join(parts) if parts else ""


def is_over(ends: int | None, now: float) -> bool:
    """Say whether a moment of the directory's has passed; ``now`` is an epoch."""
    return ends is not None and ends not in _NEVER and ends / 10_000_000 - _EPOCH <= now


def shown(entry: Entry, fields: Sequence[str]) -> dict[str, Any]:
    """Render an entry for clients, under the names that they asked for; ``*`` is all but what is secret."""
    if "*" in fields:
        fields = [one for one in entry.values if one not in SECRET]
    found: dict[str, Any] = {"dn": entry.name}
    for field in fields:
        name = field.lower()
        values = [_plain(name, one) for one in entry.values.get(name, ())]
        if name != "dn":
            found[field] = values if name in _LISTS or len(values) > 1 else next(iter(values), None)
    return found


def _plain(name: str, value: bytes) -> Any:
    if name == "objectguid" and len(value) == 16:
        return str(uuid.UUID(bytes_le=value))
    if name == "objectsid" and len(value) >= 8:
        numbers = [int.from_bytes(value[at : at + 4], "little") for at in range(8, len(value) - 3, 4)]
        return "-".join(map(str, ["S", value[0], int.from_bytes(value[2:8], "big"), *numbers]))
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
    if name in _TIMES and re.fullmatch(r"\d{1,19}", text):
        return _moment(int(text))
    if name in _NUMBERS and re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    return (
        f"{dt.datetime.strptime(stamp[1], '%Y%m%d%H%M%S').isoformat(sep=' ')}"
        if (stamp := _STAMP.fullmatch(text))
        else text
    )


def _moment(ticks: int) -> str | None:
    """Write a count of tenths of microseconds as a time in UTC; None for never."""
    if ticks in _NEVER:
        return None
    try:
        moment = dt.datetime(1601, 1, 1) + dt.timedelta(microseconds=ticks // 10)
    except OverflowError:
        return None
    return moment.isoformat(sep=" ", timespec="seconds")
