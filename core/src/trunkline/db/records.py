"""Immutable records as the kernel keeps them in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class User:
    """A user; ``assignments`` maps app ids to role ids in the order of their rows."""

    id: int
    name: str | None
    username: str | None
    email: str
    first_name: str | None
    last_name: str | None
    ldap_username: str | None
    is_sys_admin: bool
    is_active: bool
    last_login_date: datetime | None
    token_epoch: int
    assignments: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AppRecord:
    """An app, known to callers by its API key."""

    id: int
    name: str
    api_key: str
    is_active: bool
    role_id: int | None


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """A configured service; ``config`` is the stored JSON, with secrets still encrypted."""

    id: int
    name: str
    label: str
    description: str
    type: str
    is_active: bool
    config: str


@dataclass(frozen=True, slots=True)
class LookupRecord:
    """One lookup value and whether it may only be used in private places."""

    name: str
    value: str | None
    private: bool
