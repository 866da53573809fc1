"""Who is let in, as whom, with which roles."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from trunkline.app import App
from trunkline.errors import BadRequest
from trunkline.testing import Client, Gateway
from trunkline_directory.imports import Import, imported
from trunkline_directory.testing.people import INVALID, Corporation, People, log_in, message, standing_in

# Parts of filters and names, which must not become any.
_HOSTILE = (
    "*", "j*", "jd*", "*)(uid=*", "*)(objectClass=*", "jdoe)(&", "jdoe)(|(uid=*", "\\2a", "\\2A", "j\\2a", "jdoe\\",
    "\\6adoe", "jdoe\\00", "jdoe,dc=example", "uid=jdoe", "cn=jdoe", "(uid=jdoe)", "&(uid=jdoe)", "|(uid=*)",
    "!(uid=x)", "jdoe)(!(uid=x", "#6a646f65", "jdoe#", "jdoe;binary", "<jdoe>", '"jdoe"', "jdoe+cn=x", "=", "\\",
    "jdoe*@*", "*@example.org", "jdoe)(mail=*@x", "\u0458doe",
)  # fmt: skip
_UNSEEN = ("jd\0oe", "jdoe\0", "jdoe\n", "jd\u00adoe", "jdoe\u200b", "\ufeffjdoe", "jdoe\u202e", "jdoe\ud800")


class LoginSuite(Corporation):
    """Checks who is let in, as whom, with which roles."""

    def test_a_session_by_name(self, gateway: Gateway, service: str, people: People) -> None:
        reply = log_in(gateway.anonymous, service, people.name, people.password, remember_me=True)
        assert reply.status_code == 200, reply.text
        content = reply.json()
        local, _, domain = people.email.partition("@")
        assert content["email"] == f"{local}+{service}@{domain}"
        assert (content["name"], content["first_name"], content["last_name"]) == (people.full_name, "Jane", "Doe")
        assert content["session_token"] == content["session_id"]
        assert content["is_sys_admin"] is False
        assert "role" not in content
        assert set(people.groups) <= set(content["groupMembership"])
        assert content["groupMembership"][0] == people.groups[0]
        row = gateway.admin.get(f"/system/user/{content['id']}").json()
        assert (row["username"], row["ldap_username"]) == (f"{people.name}+{service}", people.name)
        assert row["adldap"] == self.service_type
        mine = Client(gateway.anonymous._http, {"X-DreamFactory-Session-Token": content["session_token"]})
        assert mine.get("/user/session").json()["id"] == content["id"]
        assert mine.get("/user/profile").json()["adldap"] == self.service_type

    def test_everybody_is_one_account(self, gateway: Gateway, service: str, people: People) -> None:
        bodies: list[dict[str, Any]] = [
            {"username": people.name}, {"username": people.name.upper()}, {"username": f" {people.name} "},
            {"username": people.email}, {"email": people.email}, {"username": people.email.upper()},
        ]  # fmt: skip
        found = set()
        for body in bodies:
            more = {"service": service, "password": people.password}
            reply = gateway.anonymous.post("/user/session", json={**body, **more})
            assert reply.status_code == 200, (body, reply.text)
            found.add(reply.json()["id"])
        assert len(found) == 1
        other = log_in(gateway.anonymous, service, people.other, people.password)
        assert other.json()["id"] not in found

    @pytest.mark.usefixtures("patient")
    def test_odd_names_are_names(self, gateway: Gateway, service: str, people: People) -> None:
        for name in people.odd:
            reply = log_in(gateway.anonymous, service, name, people.password)
            assert reply.status_code == 200, (name, reply.text)
            assert gateway.admin.get(f"/system/user/{reply.json()['id']}").json()["ldap_username"] == people.odd[0]

    @pytest.mark.usefixtures("prompt")
    @pytest.mark.parametrize("hostile", _HOSTILE)
    def test_no_name_changes_a_query(self, gateway: Gateway, service: str, people: People, hostile: str) -> None:
        """Checklist 7."""
        for name in (hostile, f"{hostile}@example.org", people.name + hostile):
            assert message(log_in(gateway.anonymous, service, name, people.password), 401) == INVALID, name

    @pytest.mark.usefixtures("prompt")
    def test_what_can_be_no_credentials(self, gateway: Gateway, service: str, people: People) -> None:
        """A bind without a password is let in by many servers, as nobody; so a password must be one."""
        passwords: list[Any] = ["", None, "\0", f"{people.password}\0", "\u00ad", "\u200b", " ", 1, [people.password]]
        for password in [*passwords, {"$ne": ""}, "x" * 2000]:
            assert message(log_in(gateway.anonymous, service, people.name, password), 401) == INVALID, password
        names: list[Any] = ["", None, " ", 7, ["*"], {"a": 1}, "x" * 2000, *_UNSEEN[:-1]]
        for name in names:
            assert message(log_in(gateway.anonymous, service, name, people.password), 401) == INVALID, name
        raw = '{"service": "%s", "username": "jdoe\\ud800", "password": "x"}' % service  # noqa: UP031
        reply = gateway.anonymous.post("/user/session", content=raw, headers={"Content-Type": "application/json"})
        assert reply.status_code in (400, 401)

    @pytest.mark.usefixtures("patient")
    def test_all_refusals_are_one(self, gateway: Gateway, service: str, people: People) -> None:
        """Checklist 17: neither words nor time tell whether there is somebody of that name."""
        wrong = [(people.name, "wrong"), (people.name, people.password.upper()), ("nobody", people.password)]
        wrong += [(name, people.password) for name in people.barred] + [(people.barred[0], "wrong")]
        times = []
        for name, password in wrong * 2:
            started = time.perf_counter()
            reply = log_in(gateway.anonymous, service, name, password)
            times.append(time.perf_counter() - started)
            assert message(reply, 401) == INVALID, name
            assert reply.json()["error"]["context"] is None
        over = [one % 0.25 for one in times[len(wrong) :]]
        assert min(times) >= 0.25
        assert max(over) < 0.15, times

    def test_many_attempts_are_too_many(self, fresh_gateway: Gateway, config: dict[str, Any], people: People) -> None:
        """The same person under other spellings is the same."""
        service = self.another(fresh_gateway, config)
        fresh_gateway.app.logins._admit_after = _without_pause(fresh_gateway)  # type: ignore[method-assign]
        spellings = [people.name, people.name.upper(), f" {people.name}", people.name.title()]
        statuses = [
            log_in(fresh_gateway.anonymous, service, name, "wrong").status_code
            for name in itertools.islice(itertools.cycle(spellings), fresh_gateway.app.settings.login_attempts + 2)
        ]
        assert statuses[:3] == [401, 401, 401]
        assert statuses[-2:] == [429, 429]
        assert log_in(fresh_gateway.anonymous, service, people.name, people.password).status_code == 429

    def test_default_roles_and_roles_by_app(self, gateway: Gateway, config: dict[str, Any], people: People) -> None:
        usual, special = gateway.create_role([]), gateway.create_role([])
        first, second = gateway.create_app(), gateway.create_app()
        mapped = [{"app_id": second["id"], "role_id": special}]
        service = self.another(gateway, config, default_role=usual, app_role_map=mapped)
        user = log_in(gateway.anonymous, service, people.name, people.password).json()["id"]
        assert _roles(gateway, user) >= {(first["id"], usual), (second["id"], special)}
        with_key = gateway.with_key(first["api_key"])
        assert log_in(with_key, service, people.name, people.password).json()["role_id"] == usual

    def test_groups_are_roles(self, gateway: Gateway, config: dict[str, Any], people: People) -> None:
        """The first group counts that has a role, however its name is written; without one, the default."""
        roles = [gateway.create_role([]) for _ in range(3)]
        app = gateway.create_app()
        service = self.another(gateway, config, default_role=roles[2], map_group_to_role=True)

        def map_group(role: int, name: str | None) -> None:
            changed = {"role_adldap_by_role_id": {"dn": name} if name else {}}
            assert gateway.admin.patch(f"/system/role/{role}", json=changed).status_code == 200

        def role_of(name: str) -> int:
            reply = log_in(gateway.anonymous, service, name, people.password)
            assert reply.status_code == 200, reply.text
            return dict(_roles(gateway, reply.json()["id"]))[app["id"]]

        first, second = people.groups[:2]
        assert role_of(people.name) == roles[2]
        map_group(roles[1], " , ".join(second.split(",")).swapcase())
        assert (role_of(people.name), role_of(people.other)) == (roles[1], roles[2])
        map_group(roles[0], first)
        assert role_of(people.name) == roles[0]
        shown = gateway.admin.get(f"/system/role/{roles[0]}", params={"related": "role_adldap_by_role_id"}).json()
        assert shown["role_adldap_by_role_id"] == {"role_id": roles[0], "dn": first}
        map_group(roles[0], None)
        map_group(roles[1], None)
        assert role_of(people.name) == roles[2]

    def test_groups_become_roles(self, gateway: Gateway, config: dict[str, Any], people: People) -> None:
        """System-api 21.4: once, whoever has that name already, and open to nothing."""
        service = self.another(gateway, config)
        group = people.groups[1]
        name = group.partition(",")[0].partition("=")[2]
        gateway.create_role([], name=name.upper())

        def run(wanted: str | None, *, plan: bool = False) -> Import:
            return asyncio.run(_with_app(gateway, service, wanted, plan))

        wanted = f"(cn={name})"
        planned = run(wanted, plan=True)
        assert (planned.made, planned.known) == ({f"{name} ({service})": group}, 0)
        assert run(wanted).made == planned.made
        assert (run(wanted).made, run(wanted).known) == ({}, 1)
        assert run("(cn=no-such-group)") == Import({}, 0, True)
        row = gateway.admin.get("/system/role", params={"filter": f"name='{name} ({service})'", "related": "*"}).json()
        (role,) = row["resource"]
        assert role["role_adldap_by_role_id"]["dn"] == group
        assert (role["is_active"], role["role_service_access_by_role_id"]) == (True, [])
        mapped = self.another(gateway, config, map_group_to_role=True)
        app = gateway.create_app()
        reply = log_in(gateway.with_key(app["api_key"]), mapped, people.name, people.password)
        assert reply.json()["role_id"] == role["id"]
        assert gateway.admin.delete(f"/system/role/{role['id']}").status_code == 200
        for bad, other in (("(cn=", service), (None, "system"), (None, "nobody")):
            with pytest.raises(BadRequest):
                asyncio.run(_with_app(gateway, other, bad, True))

    def test_encrypted(
        self, gateway: Gateway, config: dict[str, Any], people: People, secure: Sequence[Mapping[str, Any]]
    ) -> None:
        """Certificates count only if they are trusted and are for this server."""
        assert secure
        for settings in secure:
            known = self.another(gateway, config, **settings)
            assert log_in(gateway.anonymous, known, people.name, people.password).status_code == 200, settings
            stranger = self.another(gateway, config, **{**settings, "ca_certificate": None})
            said = message(log_in(gateway.anonymous, stranger, people.name, people.password), 502)
            assert said == "The directory server's certificate is not trusted."
            host = str(settings["host"])
            number = host.rpartition("://")[2].rpartition(":")[0]
            if number == "127.0.0.1":
                elsewhere = self.another(gateway, config, **{**settings, "host": host.replace(number, "localhost")})
                said = message(log_in(gateway.anonymous, elsewhere, people.name, people.password), 502)
                assert said == "The directory server's certificate is not trusted."

    def test_no_password_is_told(
        self, gateway: Gateway, service: str, config: dict[str, Any], people: People, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Checklist 27: neither that of a person nor that of the account that searches is in any log or reply."""
        caplog.set_level(logging.DEBUG)
        account = {"username": "cn=reader,dc=example,dc=org", "password": "secret-of-the-account"}
        wrong = self.another(gateway, config, **account)
        assert message(log_in(gateway.anonymous, wrong, people.name, people.password), 502)
        with standing_in(b"\x30\x03\x02\x01\x00") as port:
            odd = self.another(gateway, config, host=f"127.0.0.1:{port}", **account)
            assert message(log_in(gateway.anonymous, odd, people.name, people.password), 502)
        assert log_in(gateway.anonymous, service, people.name, people.password).status_code == 200
        assert people.password not in caplog.text
        assert "secret-of-the-account" not in caplog.text

    def test_the_environment_offers_the_login(self, gateway: Gateway, service: str) -> None:
        told = gateway.anonymous.get("/system/environment").json()["authentication"]["adldap"]
        mine = next(one for one in told if one["name"] == service)
        assert mine["path"] == f"user/session?service={service}"
        assert mine["payload"]["username"] == "string"

    def test_settings_that_can_not_work(self, gateway: Gateway, config: dict[str, Any]) -> None:
        bad: list[dict[str, Any]] = [
            {"host": ""}, {"host": "a b"}, {"host": "http://x"}, {"host": "x:99999"}, {"base_dn": ""},
            {"base_dn": "example.org"}, {"host": "ldaps://x", "encryption": "starttls"}, {"encryption": "ssl"},
            {"username": "x", "password": ""}, {"username": None, "password": "x"}, {"timeout": 0}, {"timeout": 900},
            {"ca_certificate": "none"},
            {"ca_certificate": "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n"},
            {"ca_certificate": "é"},
        ]  # fmt: skip
        for one in bad:
            record = {"name": f"bad{next(self._numbers)}", "type": self.service_type, "config": {**config, **one}}
            reply = gateway.admin.post("/system/service", json={"resource": [record]})
            assert reply.status_code == 400, one


async def _with_app(gateway: Gateway, service: str, wanted: str | None, plan: bool) -> Import:
    """Do what the command does, in an application of its own on the same storage."""
    async with App(gateway.app.settings).running() as app:
        return await imported(app, service, wanted, plan=plan)


def _roles(gateway: Gateway, user: int) -> set[tuple[int, int]]:
    related = {"related": "user_to_app_to_role_by_user_id"}
    rows = gateway.admin.get(f"/system/user/{user}", params=related).json()["user_to_app_to_role_by_user_id"]
    return {(one["app_id"], one["role_id"]) for one in rows}


def _without_pause(gateway: Gateway) -> Any:
    """Judge attempts as they are, but do not slow them down."""
    judge = type(gateway.app.logins)._admit_after
    limit = gateway.app.settings.login_attempts

    async def admit(mine: int, everyone: int) -> None:
        await judge(gateway.app.logins, mine if mine >= limit else 0, everyone)

    return admit
