"""Which role counts: random users, apps and assignments against the eight rules of system-api 10."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import Mirror

from trunkline.db import tables
from trunkline.testing import Client, Gateway

APPS, ROLES = 3, 4
worlds = st.fixed_dictionaries(
    {
        "defaults": st.lists(st.none() | st.integers(0, ROLES - 1), min_size=APPS, max_size=APPS),
        "app_active": st.lists(st.sampled_from([True, True, True, False]), min_size=APPS, max_size=APPS),
        "role_active": st.lists(st.sampled_from([True, True, True, False]), min_size=ROLES, max_size=ROLES),
        "assigned": st.dictionaries(st.integers(0, APPS - 1), st.integers(0, ROLES - 1), max_size=APPS),
        "is_admin": st.booleans(),
        "user_active": st.sampled_from([True, True, True, False]),
        "key": st.none() | st.integers(0, APPS - 1),
        "token": st.booleans(),
    }
)


@pytest.fixture
def mirror(toy: Gateway) -> Gateway:
    """A gateway with a service that says who asks."""
    toy.app.registry.add("mirror", Mirror)
    toy.create_service("mirror", "mirror")
    return toy


def expected(world: dict[str, Any]) -> tuple[int, int | None]:
    """Answer the status of a read that every role allows, and the role that counts, by the rules alone."""
    key, assigned = world["key"], world["assigned"]
    if key is None and not world["token"]:
        return 400, None
    if key is not None and not world["app_active"][key]:
        return 403, None  # 1
    if world["token"] and not world["user_active"]:
        return 403, None  # 2
    if world["token"] and world["is_admin"] and not assigned:
        return 200, None  # 7
    role = None
    if key is not None:  # 6
        role = world["defaults"][key]  # 5
        if world["token"] and assigned:
            role = assigned.get(key, assigned[next(iter(sorted(assigned)))])  # 3 and 4
    if role is None:
        return (403 if key is not None and world["token"] else 400), None
    return (200 if world["role_active"][role] else 403), role  # 8


class TestRoles:
    @settings(
        max_examples=150, deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    @given(world=worlds)
    def test_the_role_is_the_one_that_the_rules_say(self, mirror: Gateway, world: dict[str, Any]) -> None:
        client, names = built(mirror, world)
        status, role = expected(world)
        reply = client.get("/mirror/who")
        assert reply.status_code == status, (world, reply.text)
        if status == 200 and role is not None:
            assert reply.json()["role"] == names[role], world


def built(toy: Gateway, world: dict[str, Any]) -> tuple[Client, list[str]]:
    """Put the world into the system database and make its caller."""
    old = (tables.user_to_app_to_role, tables.app, tables.role_service_access, tables.role)
    changed(toy, *(sa.delete(table) for table in old))
    rows = [{"service": None, "component": "*", "verb_mask": 31}]
    names = [f"role {index}" for index in range(ROLES)]
    roles = [
        toy.create_role(rows, name=name, is_active=on) for name, on in zip(names, world["role_active"], strict=True)
    ]
    apps = [
        toy.create_app(None if default is None else roles[default], is_active=on)
        for default, on in zip(world["defaults"], world["app_active"], strict=True)
    ]
    user = toy.create_user("someone@example.com")
    values = {"is_sys_admin": world["is_admin"], "is_active": world["user_active"]}
    assigned = [
        sa.insert(tables.user_to_app_to_role).values(user_id=user.id, app_id=apps[app]["id"], role_id=roles[role])
        for app, role in sorted(world["assigned"].items())
    ]
    changed(toy, sa.update(tables.user).where(tables.user.c.id == user.id).values(values), *assigned)
    key = None if world["key"] is None else apps[world["key"]]["api_key"]
    if world["token"]:
        return toy.as_user(user, key), names
    return (toy.anonymous if key is None else toy.with_key(key)), names


def changed(toy: Gateway, *statements: sa.Executable) -> None:
    def work(connection: sa.Connection) -> None:
        for one in statements:
            connection.execute(one)

    toy.app.database.change(work)
