"""The roles that groups of a directory stand for (system-api 7.3 and 21.4)."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from trunkline_directory.names import Name, normal
from trunkline_system.models.role import RoleAdldap


def role_of(connection: sa.Connection, groups: Iterable[str]) -> int | None:
    """Answer the role of the first group whose name a role has; None where none has."""
    columns = RoleAdldap.table.c
    roles: dict[Name, int] = {}
    for role_id, name in connection.execute(sa.select(columns.role_id, columns.dn).order_by(columns.role_id)):
        if (found := normal(name)) is not None:
            roles.setdefault(found, role_id)
    names = (normal(one) for one in groups)
    return next((roles[one] for one in names if one is not None and one in roles), None)
