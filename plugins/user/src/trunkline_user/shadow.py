"""The accounts that stand here for people whom a provider knows (system-api 21).

An account is found by the provider's own name of it, by a digest, since databases compare texts as they like. One that
was made before that was kept is found by its address, if the provider answers for that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline.db import tables
from trunkline.db.records import User
from trunkline.directory import read_user
from trunkline.errors import BadRequest
from trunkline_system import writing
from trunkline_system.model import Work
from trunkline_system.models.user import AdminModel, UserModel

if TYPE_CHECKING:
    from trunkline.call import Call
    from trunkline_user.external import ExternalService, Identity

external_account = sa.Table(
    "external_account",
    sa.MetaData(),
    tables.id_column(),
    tables.parent("service_id", "service", nullable=False),
    sa.Column("subject_digest", sa.String(64), nullable=False),
    tables.parent("user_id", "user", nullable=False),
    sa.UniqueConstraint("service_id", "subject_digest"),
)
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,60}")
_ADDRESS = re.compile(r"[^@\s+][^@\s]*@[^@\s]+\.[^@\s]+")
_BLANK = re.compile(r"\s")
_MOST_CHARACTERS = 255


def user_of(service: ExternalService, call: Call, identity: Identity) -> User | None:
    """Answer the account of an identity with the roles that are due; None where it would be new and may not be.

    Writes, and makes all workers read anew, only where something is another than it was; blocks.
    """
    database = service.app.database
    found = database.read(lambda connection: _as_due(connection, service, identity))
    if found is not None:
        return found
    try:
        return database.change(lambda connection: _made(connection, service, call, identity))
    except (sa.exc.IntegrityError, BadRequest):
        # The same person on another node at the same time, who now is there.
        return database.change(lambda connection: _made(connection, service, call, identity))


def _as_due(connection: sa.Connection, service: ExternalService, identity: Identity) -> User | None:
    """Answer the account if it is known by its subject and has the roles that it should have."""
    user = _linked(connection, service, identity.subject)
    return user if user is not None and user.assignments == _due(connection, service, identity, user) else None


def linked_user(service: ExternalService, subject: str) -> User | None:
    """Answer the account of somebody who has logged in before; blocks."""
    return service.app.database.read(lambda connection: _linked(connection, service, subject))


def _linked(connection: sa.Connection, service: ExternalService, subject: str) -> User | None:
    link = external_account.c
    query = sa.select(link.user_id).where(link.service_id == service.record.id, link.subject_digest == _digest(subject))
    known = connection.scalar(query)
    return read_user(connection, tables.user.c.id == known) if known is not None else None


def _digest(subject: str) -> str:
    return hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()


def _made(connection: sa.Connection, service: ExternalService, call: Call, identity: Identity) -> User | None:
    """Find or make the account, remember whose it is, and assign roles."""
    user = _linked(connection, service, identity.subject)
    if user is None:
        user = _same_address(connection, service, identity) or _new(connection, service, call, identity)
        if user is None:
            return None
        connection.execute(
            sa.insert(external_account).values(
                service_id=service.record.id, subject_digest=_digest(identity.subject), user_id=user.id
            )
        )
    if user.is_active:
        _assign(connection, user, _due(connection, service, identity, user))
    return read_user(connection, tables.user.c.id == user.id)


def _same_address(connection: sa.Connection, service: ExternalService, identity: Identity) -> User | None:
    """Find an account by the address that it has here, if it came from this provider and is nobody else's yet."""
    address = _address(service, identity)
    if address is None:
        return None
    column, value = service.origin
    same = sa.and_(
        sa.func.lower(tables.user.c.email) == address.lower(),
        tables.user.c[column] == value,
        tables.user.c.is_sys_admin.is_(service.makes_administrators),
    )
    user = read_user(connection, same)
    link = external_account.c
    taken = sa.select(link.id).where(link.service_id == service.record.id, link.user_id == (user.id if user else None))
    return user if user is not None and connection.scalar(taken) is None else None


def _address(service: ExternalService, identity: Identity) -> str | None:
    """Write an address as ``local+service@domain``; None where the provider does not answer for it."""
    if not identity.email_is_verified or not identity.email or not _ADDRESS.fullmatch(identity.email):
        return None
    local, _, domain = identity.email.rpartition("@")
    address = f"{local}+{service.name}@{domain}"
    return address if len(address) <= _MOST_CHARACTERS else None


def _new(connection: sa.Connection, service: ExternalService, call: Call, identity: Identity) -> User | None:
    if not service.takes_new_users:
        return None
    # The digest is last, since addresses that differ by their case only are one here, but names there are not.
    names = [identity.subject] if _PLAIN.fullmatch(identity.subject) else []
    own = [f"{one}+{service.name}@{service.name}.com" for one in (*names, _digest(identity.subject)[:24])]
    usual = [one for one in (_address(service, identity), *own) if one is not None]
    address = next((one for one in usual if not _is_taken(connection, "email", one)), usual[-1])
    username = f"{identity.username}+{service.name}" if identity.username else address
    if len(username) > _MOST_CHARACTERS or _BLANK.search(username) or _is_taken(connection, "username", username):
        username = address
    column, value = service.origin
    given = {
        "email": address,
        "first_name": _cut(identity.first_name),
        "last_name": _cut(identity.last_name),
        "name": _cut(identity.name),
    }
    fixed: Mapping[str, Any] = {
        column: value,
        "username": username,
        "ldap_username": _cut(identity.username) if column == "adldap" else None,
        "is_sys_admin": service.makes_administrators,
    }
    model = AdminModel if service.makes_administrators else UserModel
    row = writing.create(Work(service.app, connection, call), model, given, **fixed)
    return read_user(connection, tables.user.c.id == row["id"])


def _cut(text: str | None) -> str | None:
    return text[:_MOST_CHARACTERS] if text else None


def _is_taken(connection: sa.Connection, column: str, value: str) -> bool:
    same = sa.func.lower(tables.user.c[column]) == value.lower()
    return connection.scalar(sa.select(tables.user.c.id).where(same)) is not None


def _due(connection: sa.Connection, service: ExternalService, identity: Identity, user: User) -> dict[int, int]:
    """Answer the roles that a user should have with each app (system-api 21).

    The default role fills gaps, the map of apps replaces. Where groups decide, what they say replaces as well, so that
    leaving a group ends what it gave.
    """
    roles = set(connection.scalars(sa.select(tables.role.c.id)))
    apps = list(connection.scalars(sa.select(tables.app.c.id).order_by(tables.app.c.id)))
    config = service.config
    due = {} if service.maps_groups else dict(user.assignments)
    usual = identity.role_id if identity.role_id in roles else config.default_role
    if usual in roles and usual is not None:
        due = {**dict.fromkeys(apps, usual), **due}
    return due | {one.app_id: one.role_id for one in config.app_role_map if one.app_id in apps and one.role_id in roles}


def _assign(connection: sa.Connection, user: User, due: Mapping[int, int]) -> None:
    link = tables.user_to_app_to_role
    changed = [app for app, role in user.assignments.items() if due.get(app) != role]
    if changed:
        connection.execute(sa.delete(link).where(link.c.user_id == user.id, link.c.app_id.in_(changed)))
    fresh = [
        {"user_id": user.id, "app_id": app, "role_id": role}
        for app, role in due.items()
        if user.assignments.get(app) != role
    ]
    if fresh:
        connection.execute(sa.insert(link), fresh)
