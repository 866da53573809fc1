"""Administrators and users: one table, two resources (system-api 7.2)."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from asking import PASSWORD, create, create_one, fields_refused, read, refused

from trunkline.db import tables
from trunkline.testing import Client, Gateway

SECRET_FIELDS = ("password", "security_answer", "confirm_code", "token_epoch", "is_sys_admin", "remember_token")


def stored(gateway: Gateway, email: str) -> dict[str, Any]:
    query = sa.select(tables.user).where(tables.user.c.email == email)
    return dict(gateway.app.database.read(lambda connection: connection.execute(query).mappings().one()))


class TestCreating:
    def test_the_example_of_the_specification(self, admin: Client) -> None:
        app, role = create_one(admin, "/system/app", name="shop"), create_one(admin, "/system/role", name="reader")
        record = {
            "first_name": "Ana", "last_name": "Ruiz", "email": "ana@ex.org", "password": "a-long-passphrase-1",
            "lookup_by_user_id": [{"name": "region", "value": "EU"}, {"name": "pin", "value": "99", "private": True}],
            "user_to_app_to_role_by_user_id": [{"app_id": app["id"], "role_id": role["id"]}],
        }  # fmt: skip
        params = {
            "fields": "id,name,email,confirmed,expired", "related": "lookup_by_user_id,user_to_app_to_role_by_user_id",
        }  # fmt: skip
        made = create(admin, "/system/user", record, **params)[0]
        lookups = made.pop("lookup_by_user_id")
        assignments = made.pop("user_to_app_to_role_by_user_id")
        key = made.pop("id")
        assert made == {"name": "Ana Ruiz", "email": "ana@ex.org", "confirmed": True, "expired": False}
        assert [(one["name"], one["value"], one["private"]) for one in lookups] == [
            ("region", "EU", False), ("pin", "**********", True),
        ]  # fmt: skip
        assert {(one["user_id"], one["app_id"], one["role_id"]) for one in lookups} == {(key, None, None)}
        assert assignments == [{"id": 1, "user_id": key, "app_id": app["id"], "role_id": role["id"]}]

    def test_names_are_derived(self, admin: Client) -> None:
        plain = create_one(admin, "/system/user", email="plain.name@ex.org")
        assert (plain["name"], plain["username"]) == ("plain.name", "plain.name@ex.org")
        assert create_one(admin, "/system/user", email="half@ex.org", first_name="Half")["name"] == "Half"
        assert create_one(admin, "/system/user", email="a@b", name="Short")["username"] == "a@b"

    def test_an_inactive_user_can_be_created(self, admin: Client) -> None:
        """D23: the original lost the false and made the user active."""
        for number, false in enumerate((False, "false", 0, "0")):
            assert create_one(admin, "/system/user", email=f"off{number}@ex.org", is_active=false)["is_active"] is False
        assert create_one(admin, "/system/user", email="on@ex.org")["is_active"] is True
        assert create_one(admin, "/system/user", email="null@ex.org", phone="null")["phone"] is None

    @pytest.mark.parametrize(
        ("record", "field"),
        [
            ({"email": None}, "email"),
            ({"email": ""}, "email"),
            ({"email": "no address"}, "email"),
            ({"email": "a b@ex.org"}, "email"),
            ({"email": "a@b\nBcc: c@d"}, "email"),
            ({"email": ["a@b.c"]}, "email"),
            ({"email": "x" * 255 + "@ex.org"}, "email"),
            ({"email": "TAKEN@ex.org"}, "email"),
            ({"username": "taken@EX.org"}, "username"),
            ({"username": "short"}, "username"),
            ({"username": "with blank"}, "username"),
            ({"password": "too short"}, "password"),
            ({"password": "x" * 2000}, "password"),
            ({"password": 1234567890123456}, "password"),
            ({"password": ["a long enough password"]}, "password"),
            ({"is_active": "perhaps"}, "is_active"),
            ({"default_app_id": "x"}, "default_app_id"),
            ({"phone": "1" * 33}, "phone"),
            ({"user_to_app_to_role_by_user_id": [{"app_id": 99, "role_id": 1}]}, "app_id"),
            ({"user_to_app_to_role_by_user_id": [{"role_id": 1}]}, "app_id"),
            ({"lookup_by_user_id": [{"value": "x"}]}, "name"),
        ],
    )
    @pytest.mark.parametrize("kind", ["user", "admin"])
    def test_what_does_not_validate_names_its_field(
        self, admin: Client, kind: str, record: dict[str, Any], field: str
    ) -> None:
        """D17, D18."""
        admin.post("/system/user", json={"email": "taken@ex.org"})
        fields_refused(admin.post(f"/system/{kind}", json={"resource": [{"email": "new@ex.org", **record}]}), field)
        for resource in ("user", "admin"):
            assert read(admin, f"/system/{resource}", filter="email='new@ex.org'") == []

    def test_a_user_has_one_role_per_app(self, admin: Client) -> None:
        app, role = create_one(admin, "/system/app", name="one"), create_one(admin, "/system/role", name="one")
        pair = {"app_id": app["id"], "role_id": role["id"]}
        relation = "user_to_app_to_role_by_user_id"
        told = "You can only have a single user-to-app-to-role assignment."
        twice = {"resource": [{"email": "twice@ex.org", relation: [pair, pair]}]}
        refused(admin.post("/system/user", json=twice), 400, told)
        user = create_one(admin, "/system/user", email="once@ex.org", **{relation: [pair]})
        refused(admin.patch(f"/system/user/{user['id']}", json={relation: [pair]}), 400, told)
        same = {relation: [{**pair, "id": user[relation][0]["id"]}]}
        assert admin.patch(f"/system/user/{user['id']}", json=same).status_code == 200


class TestMassAssignment:
    def test_nobody_becomes_an_administrator_by_a_field(self, gateway: Gateway, admin: Client) -> None:
        """Checklist 14."""
        sent = {"is_sys_admin": True, "token_epoch": 7, "confirm_code": "x", "id": 999, "remember_token": "x"}
        user = create_one(admin, "/system/user", email="mass@ex.org", **sent)
        admin.patch(f"/system/user/{user['id']}", json={"name": "changed", **sent})
        row = stored(gateway, "mass@ex.org")
        assert (row["is_sys_admin"], row["token_epoch"], row["confirm_code"]) == (False, 0, None)
        assert (row["id"], row["name"]) == (user["id"], "changed")
        made = create_one(admin, "/system/admin", email="boss@ex.org", is_sys_admin=False, last_login_date="2001-01-01")
        assert stored(gateway, "boss@ex.org")["is_sys_admin"] is True
        assert made["last_login_date"] is None

    @pytest.mark.parametrize("name", SECRET_FIELDS)
    @pytest.mark.parametrize("path", ["/system/admin", "/system/admin/1"])
    def test_secrets_are_never_answered(self, admin: Client, path: str, name: str) -> None:
        """Checklist 14 and 27: asking for a hidden field yields nothing."""
        for fields in ("*", name, f"id,{name}"):
            found = read(admin, path, fields=fields)
            for record in found if isinstance(found, list) else [found]:
                assert name not in record

    @pytest.mark.parametrize("name", SECRET_FIELDS[:5])
    def test_secrets_cannot_be_guessed_by_asking(self, admin: Client, name: str) -> None:
        """Checklist 14: neither a filter nor an order tells anything about a hidden field."""
        for params in (
            {"filter": f"{name} like '$argon2%'"}, {"filter": f"{name} is not null"}, {"order": name},
            {"filter": f"(id > 0) or ({name} = 'x')"}, {"group": name}, {"as_list": "true", "id_field": name},
        ):  # fmt: skip
            refused(admin.get("/system/admin", params=params), 400, name)

    def test_hashes_are_stored_and_not_the_words(self, gateway: Gateway, admin: Client) -> None:
        create_one(admin, "/system/user", email="hash@ex.org", password=PASSWORD, security_answer="blue")
        row = stored(gateway, "hash@ex.org")
        assert row["password"].startswith("$argon2id$")
        assert row["security_answer"].startswith("$argon2id$")


class TestKinds:
    @pytest.fixture
    def plain(self, admin: Client) -> int:
        found = read(admin, "/system/user", filter="email='plain@ex.org'")
        return int((found or [create_one(admin, "/system/user", email="plain@ex.org")])[0]["id"])

    @pytest.fixture
    def boss(self, admin: Client) -> int:
        found = read(admin, "/system/admin", filter="email='boss@ex.org'")
        return int((found or [create_one(admin, "/system/admin", email="boss@ex.org")])[0]["id"])

    def test_each_resource_shows_its_own(self, admin: Client, plain: int, boss: int) -> None:
        assert plain not in read(admin, "/system/admin", as_list="true")
        assert boss not in read(admin, "/system/user", as_list="true")
        assert admin.get(f"/system/admin/{plain}").status_code == 404
        assert admin.get(f"/system/user/{boss}").status_code == 404
        assert admin.get("/system/user", params={"ids": boss}).status_code == 400

    def test_the_other_kind_is_refused_in_recorded_words(self, admin: Client, plain: int, boss: int) -> None:
        for method in ("PATCH", "PUT"):
            change = {"json": {"name": "x"}}
            refused(admin.request(method, f"/system/admin/{plain}", **change), 400, "Cannot update a non-admin user.")
            refused(
                admin.request(method, f"/system/user/{boss}", **change), 403, "Not allowed to change an admin user."
            )
        refused(admin.delete(f"/system/admin/{plain}"), 400, "Cannot delete a non-admin user.")
        refused(admin.delete(f"/system/user/{boss}"), 403, "Not allowed to delete an admin user.")
        for path, key in (("/system/admin", plain), ("/system/user", boss)):
            assert admin.delete(path, params={"ids": key}).status_code == 400
            assert admin.patch(path, json=[{"id": key, "name": "x"}]).status_code == 400
        assert read(admin, f"/system/user/{plain}")["name"] == "plain"
        assert read(admin, f"/system/admin/{boss}")["name"] == "boss"

    def test_nobody_deletes_the_account_in_use(self, admin: Client, boss: int) -> None:
        refused(admin.delete("/system/admin/1"), 403, "Cannot delete your account.")
        for params in ({"ids": "1"}, {"filter": "id=1"}, {"force": "true"}):
            reply = admin.delete("/system/admin", params=params)
            assert (reply.status_code, "Cannot delete your account." in reply.text) == (400, True)
        assert admin.get("/system/admin/1").status_code == 200
        assert boss in read(admin, "/system/admin", as_list="true")


class TestSessionsOfChangedUsers:
    """Checklist 15: what is changed on an account counts from the next request on (system-api 9.3)."""

    @pytest.fixture
    def login(self, gateway: Gateway, admin: Client, request: pytest.FixtureRequest) -> tuple[str, Client]:
        email = f"{abs(hash(request.node.name))}@ex.org"
        user = create_one(admin, "/system/user", email=email, password=PASSWORD)
        token = gateway.anonymous.post("/user/session", json={"email": email, "password": PASSWORD}).json()
        headers = {"X-DreamFactory-Session-Token": token["session_token"]}
        client = Client(gateway._http, headers)
        assert client.get("/user/session").status_code == 200
        return f"/system/user/{user['id']}", client

    @pytest.mark.parametrize(
        ("change", "status", "part"),
        [
            ({"password": "another long password"}, 403, "blacklisted"),
            ({"is_active": False}, 403, "User is not active."),
            ({"email": "changed@ex.org"}, 401, "User verification failed."),
            ({"name": "Changed", "password": ""}, 200, ""),
        ],
    )
    def test_a_change_ends_tokens_or_not(
        self, admin: Client, login: tuple[str, Client], change: dict[str, Any], status: int, part: str
    ) -> None:
        path, client = login
        assert admin.patch(path, json=change).status_code == 200
        reply = client.get("/user/session")
        assert (reply.status_code, part in reply.text) == (status, True), reply.text

    def test_switching_off_and_on_again_does_not_revive_a_token(self, admin: Client, login: tuple[str, Client]) -> None:
        path, client = login
        for active in (False, True):
            assert admin.patch(path, json={"is_active": active}).status_code == 200
        assert client.get("/user/session").status_code == 403

    def test_a_deleted_user_is_gone_even_when_the_address_comes_back(
        self, admin: Client, login: tuple[str, Client]
    ) -> None:
        path, client = login
        email = read(admin, path)["email"]
        assert admin.delete(path).status_code == 200
        assert client.get("/user/session").status_code == 404
        create_one(admin, "/system/user", email=email, password=PASSWORD)
        assert client.get("/user/session").status_code == 404


class TestUsernames:
    def test_an_emptied_username_becomes_the_address_again(self, admin: Client) -> None:
        user = create_one(admin, "/system/user", email="named@ex.org", username="longname")
        path = f"/system/user/{user['id']}"
        for empty in ("", None):
            admin.patch(path, json={"username": "longname"})
            assert admin.patch(path, json={"username": empty}).status_code == 200
            assert read(admin, path)["username"] == "named@ex.org"

    def test_required_fields_cannot_be_emptied(self, admin: Client) -> None:
        user = create_one(admin, "/system/user", email="keeps@ex.org")
        for empty in ("", None, "null"):
            fields_refused(admin.patch(f"/system/user/{user['id']}", json={"email": empty}), "email")
