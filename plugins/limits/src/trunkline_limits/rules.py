"""Limits as they are judged: what each of them covers, which of them matter for a call, and their keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trunkline.authorize import component_of
from trunkline.call import Call

# Seconds of the periods by their names on the wire.
PERIODS = {"minute": 60, "hour": 3600, "day": 86_400, "7-day": 7 * 86_400, "30-day": 30 * 86_400}
# What each type of limit needs to be said (system-api 17.1).
TYPES: dict[str, tuple[str, ...]] = {
    "instance": (),
    "instance.user": ("user_id",),
    "instance.each_user": (),
    "instance.user.service": ("user_id", "service_id"),
    "instance.each_user.service": ("service_id",),
    "instance.service": ("service_id",),
    "instance.role": ("role_id",),
    "instance.service.endpoint": ("service_id", "endpoint"),
    "instance.user.service.endpoint": ("user_id", "service_id", "endpoint"),
    "instance.each_user.service.endpoint": ("service_id", "endpoint"),
}


def is_each_user(type_name: str) -> bool:
    """Say whether a type counts every user apart."""
    return "each_user" in type_name.split(".")


def key_text(row: Mapping[Any, Any], caller: int | None = None) -> str:
    """Write what a limit counts, such as ``instance.user:5.service:3.verb:GET.minute``; ``caller`` for each_user."""
    needed = TYPES[row["type"]]
    text = "instance"
    if "role_id" in needed:
        text += f".role:{row['role_id']}"
    if "user_id" in needed:
        text += f".user:{row['user_id']}"
    if is_each_user(row["type"]):
        text += ".each_user" if caller is None else f".each_user:{caller}"
    if "service_id" in needed:
        text += f".service:{row['service_id']}"
    if "endpoint" in needed:
        text += f".endpoint:{component_of(row['endpoint'])}"
    if row["verb"]:
        text += f".verb:{row['verb']}"
    return f"{text}.{row['period']}"


def counter_key(limit_id: int, period: str, user_id: int | None) -> str:
    """Name the counter of a limit in the shared cache; ``user_id`` where every user has one."""
    return f"{counters_of(limit_id)}{period}:{'' if user_id is None else user_id}"


def counters_of(limit_id: int) -> str:
    """Answer what all counters of a limit begin with."""
    return f"limit:{limit_id}:"


@dataclass(frozen=True, slots=True)
class Rule:
    """One active limit. None stands for everything; ``shown`` is the record as clients see it."""

    id: int
    name: str
    rate: int
    period: str
    verb: str | None
    user_id: int | None
    each_user: bool
    role_id: int | None
    service_id: int | None
    endpoint: str | None
    shown: Mapping[str, Any] = field(compare=False)

    @classmethod
    def of(cls, row: Mapping[Any, Any], shown: Mapping[str, Any]) -> Rule:
        """Make the rule of a stored limit; what its type does not need does not bind."""
        needed = TYPES[row["type"]]

        def said(name: str) -> Any:
            return row[name] if name in needed else None

        endpoint = said("endpoint")
        return cls(
            row["id"], row["name"], row["rate"], row["period"], row["verb"], said("user_id"), is_each_user(row["type"]),
            said("role_id"), said("service_id"), None if endpoint is None else component_of(endpoint), shown,
        )  # fmt: skip

    @property
    def seconds(self) -> int:
        """The length of the window."""
        return PERIODS[self.period]

    @property
    def scope(self) -> tuple[object, ...]:
        """What may replace one another: limits of the same place and period, all users' and one user's together."""
        for_users = self.each_user or self.user_id is not None
        return for_users, self.role_id, self.service_id, self.endpoint, self.period

    def covers(self, method: str, component: str, user_id: int | None, role_id: int | None) -> bool:
        """Say whether a call on the rule's service is counted."""
        if self.verb is not None and self.verb != method:
            return False
        if self.each_user and user_id is None:
            return False
        if self.user_id is not None and self.user_id != user_id:
            return False
        if self.role_id is not None and self.role_id != role_id:
            return False
        if self.endpoint is None:
            return True
        if self.endpoint.endswith("*"):
            return component.startswith(self.endpoint[:-1])
        return component == self.endpoint

    def counter(self, user_id: int | None) -> str:
        """Name the counter that a call of a user counts in."""
        return counter_key(self.id, self.period, user_id if self.each_user else None)


class Rules:
    """All active limits as they stood at one revision."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        """Sort the rules by their service."""
        self._by_service: dict[int | None, list[Rule]] = {}
        for rule in rules:
            self._by_service.setdefault(rule.service_id, []).append(rule)

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self._by_service)

    def matching(self, call: Call, service_id: int) -> list[Rule]:
        """List the rules that a call counts for (system-api 17.3).

        Of one scope, a limit for this very user replaces that for each user, then one with a verb those without. Limits
        of other periods stay: who is given more in a minute has not been given more in a day.
        """
        candidates = [*self._by_service.get(None, ()), *self._by_service.get(service_id, ())]
        if not candidates:
            return []
        caller, component = call.caller, call.component
        user_id = caller.user.id if caller.user else None
        role_id = caller.role.id if caller.role else None
        found = [rule for rule in candidates if rule.covers(call.method, component, user_id, role_id)]
        return found if len(found) < 2 else _narrowest(found)


def _narrowest(rules: Sequence[Rule]) -> list[Rule]:
    scopes: dict[tuple[object, ...], list[Rule]] = {}
    for rule in rules:
        scopes.setdefault(rule.scope, []).append(rule)
    found: list[Rule] = []
    for alike in scopes.values():
        for_one = [rule for rule in alike if not rule.each_user] or alike
        found += [rule for rule in for_one if rule.verb is not None] or for_one
    return found
