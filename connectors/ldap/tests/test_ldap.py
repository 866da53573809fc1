"""``ldap`` passes the suite of its family on OpenLDAP; and what only such directories have."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from click.testing import CliRunner
from directory_servers import ODD, OpenLdap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Server, serving

from trunkline.testing import Gateway
from trunkline_directory.address import Address
from trunkline_directory.commands import import_groups
from trunkline_directory.connection import Directory
from trunkline_directory.filters import all_of, any_of, same
from trunkline_directory.testing import INVALID, DirectorySuite, People, log_in, message

pytestmark = pytest.mark.live


@pytest.fixture
def server(openldap_server: Server) -> OpenLdap:
    assert isinstance(openldap_server, OpenLdap)
    return openldap_server


class TestLdap(DirectorySuite):
    service_type = "ldap"

    @pytest.fixture
    def config(self, server: OpenLdap) -> dict[str, Any]:
        return server.new_config()

    @pytest.fixture
    def people(self, server: OpenLdap) -> People:
        return People(
            password=server.password, name="jdoe", email="jane.doe@example.org", odd=[ODD, "odd@example.org"],
            groups=[server.group(one) for one in ("users", "staff", "reviewers", "developers")],
            barred=["locked", "reset", "expired", "mute", "twin@example.org", "hidden"], other="bob",
        )  # fmt: skip

    @pytest.fixture
    def secure(self, server: OpenLdap) -> Sequence[Mapping[str, Any]]:
        plain, encrypted = f"127.0.0.1:{server.port}", f"ldaps://127.0.0.1:{server.tls_port}"
        return [
            {"host": encrypted, "ca_certificate": server.authority},
            {"host": plain, "encryption": "starttls", "ca_certificate": server.authority},
        ]

    def test_the_form(self, gateway: Gateway) -> None:
        """Connectors 13.4: the fields in their order, ours behind them."""
        schema = gateway.admin.get("/system/service_type/ldap").json()["config_schema"]
        assert [(one["name"], one["label"]) for one in schema] == [
            ("default_role", "Default Role"), ("app_role_map", "Role per App"), ("host", "Host"),
            ("base_dn", "Base DN"), ("account_suffix", "Account Suffix"), ("map_group_to_role", "Map Group To Role"),
            ("username", "Username"), ("password", "Password"), ("encryption", "Encryption"),
            ("ca_certificate", "CA Certificate"), ("timeout", "Timeout"),
        ]  # fmt: skip
        assert {one["name"] for one in schema if one["required"]} == {"host", "base_dn"}

    def test_an_account_finds_who_is_hidden(self, gateway: Gateway, config: dict[str, Any], server: OpenLdap) -> None:
        account = {"username": server.reader, "password": server.password}
        service = self.another(gateway, config, **account)
        assert log_in(gateway.anonymous, service, "hidden", server.password).status_code == 200
        for wrong in ({"password": "wrong"}, {"username": "cn=nobody"}, {"username": "no name"}):
            other = self.another(gateway, config, **{**account, **wrong})
            said = message(log_in(gateway.anonymous, other, "hidden", server.password), 502)
            assert said == "The directory server refuses the account that searches it."
        elsewhere = self.another(gateway, config, base_dn="dc=elsewhere,dc=org")
        assert message(log_in(gateway.anonymous, elsewhere, "jdoe", server.password), 502)

    def test_a_suffix(self, gateway: Gateway, config: dict[str, Any], server: OpenLdap) -> None:
        service = self.another(gateway, config, account_suffix="oe")
        for name in ("jd", "jdoe"):
            reply = log_in(gateway.anonymous, service, name, server.password)
            assert reply.json()["first_name"] == "Jane"

    def test_the_directory_itself_lets_nobody_in_as_nobody(
        self, gateway: Gateway, service: str, server: OpenLdap
    ) -> None:
        """What is refused here would have been let in: this server, as many, takes no password for nobody's."""
        name = server.person("jdoe").encode()
        inner = b"\x02\x01\x03\x04" + bytes([len(name)]) + name + b"\x80\x00"
        request = b"\x02\x01\x01\x60" + bytes([len(inner)]) + inner
        with socket.create_connection((server.address, server.port), timeout=5) as plain:
            plain.sendall(b"\x30" + bytes([len(request)]) + request)
            assert b"\x61\x07\x0a\x01\x00" in plain.recv(1000)
        assert message(log_in(gateway.anonymous, service, "jdoe", ""), 401) == INVALID

    @pytest.mark.usefixtures("prompt")
    def test_passwords_count_as_they_are_typed(self, gateway: Gateway, service: str, server: OpenLdap) -> None:
        """Whatever is in them: nothing is left out, put into another form, or too odd."""
        server.add([server.somebody("typist")])
        for password in ("pa\u00adss", "\u00ad", " pass ", "\u2126", "\uff21", "\u0627a", "*", "\t", "é\U0001f511"):
            server.change(server.person("typist"), userPassword=password)
            # One that somebody else has chosen has to be changed first.
            server.change(server.person("typist"), pwdReset=[])
            assert log_in(gateway.anonymous, service, "typist", password).status_code == 200, password
            for other in (f"{password}\u00ad", password.strip() + "x", "\u03a9", "A"):
                assert message(log_in(gateway.anonymous, service, "typist", other), 401) == INVALID, other

    @pytest.mark.usefixtures("prompt")
    def test_who_is_barred_later_and_let_in_again(
        self, gateway: Gateway, service: str, server: OpenLdap, people: People
    ) -> None:
        server.add([server.somebody("later", classes=("posixAccount", "shadowAccount"), **server.unix_account)])
        name, changes = server.person("later"), [
            ("pwdAccountLockedTime", "000001010000Z"), ("pwdReset", "TRUE"), ("shadowExpire", "2"),
        ]  # fmt: skip
        first = log_in(gateway.anonymous, service, "later", people.password).json()["id"]
        for attribute, value in changes:
            server.change(name, **{attribute: value})
            assert message(log_in(gateway.anonymous, service, "later", people.password), 401) == INVALID, attribute
            server.change(name, **{attribute: []})
            assert log_in(gateway.anonymous, service, "later", people.password).json()["id"] == first
        server.change(name, shadowExpire="99999")
        assert log_in(gateway.anonymous, service, "later", people.password).status_code == 200

    @pytest.mark.usefixtures("prompt")
    def test_who_leaves_a_group_loses_its_role(
        self, gateway: Gateway, config: dict[str, Any], server: OpenLdap
    ) -> None:
        role, app = gateway.create_role([]), gateway.create_app()
        group = server.group("leavers")
        server.add([
            server.somebody("leaver"),
            (group, ["groupOfNames"], {"member": [server.person("leaver"), server.person("bob")]}),
        ])  # fmt: skip
        gateway.admin.patch(f"/system/role/{role}", json={"role_adldap_by_role_id": {"dn": group}})
        service = self.another(gateway, config, map_group_to_role=True)
        user = log_in(gateway.with_key(app["api_key"]), service, "leaver", server.password).json()
        assert user["role_id"] == role
        server.change(group, member=[server.person("bob")])
        again = log_in(gateway.with_key(app["api_key"]), service, "leaver", server.password).json()
        assert again["id"] == user["id"]
        assert "role" not in again
        assert again["groupMembership"] == []

    def test_the_command_tells_what_it_makes(self, gateway: Gateway, service: str) -> None:
        def run(*more: str) -> str:
            done = CliRunner().invoke(
                import_groups, [service, "--filter", "(cn=edit*)", *more], obj=gateway.app.settings
            )
            assert done.exit_code == 0, done.output
            return done.output

        told = "+ editors: cn=editors,ou=groups,dc=example,dc=org\n1 role {}, 0 left as they are.\n"
        assert [run("--plan"), run(), run()] == [
            told.format("to make"), told.format("made"), "0 roles made, 1 left as they are.\n",
        ]  # fmt: skip

    def test_each_service_has_accounts_of_its_own(
        self, gateway: Gateway, config: dict[str, Any], service: str, people: People
    ) -> None:
        other = self.another(gateway, config)
        found = {log_in(gateway.anonymous, one, "jdoe", people.password).json()["id"] for one in (service, other)}
        assert len(found) == 2

    @pytest.mark.usefixtures("prompt")
    def test_referrals_lead_nowhere(
        self, gateway: Gateway, config: dict[str, Any], service: str, server: OpenLdap, people: People
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as elsewhere:
            elsewhere.settimeout(0.2)
            url = f"ldap://127.0.0.1:{elsewhere.getsockname()[1]}/ou=away,dc=elsewhere"
            away = f"ou=away,{server.base}"
            server.add([(away, ["referral", "extensibleObject"], {"ou": "away", "ref": url})])
            try:
                assert log_in(gateway.anonymous, service, "jdoe", people.password).status_code == 200
                assert message(log_in(gateway.anonymous, service, "away", people.password), 401) == INVALID
                inside = self.another(gateway, config, base_dn=f"ou=deep,{away}")
                assert message(log_in(gateway.anonymous, inside, "jdoe", people.password), 502)
                with pytest.raises(TimeoutError):
                    elsewhere.accept()
            finally:
                server.remove(away)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.sampled_from('*()\\&|!=~<>,+"#;: /\0aj2doe\u00e9\u0130\n\t'), min_size=1, max_size=12))
def test_a_value_is_a_value(openldap_server: Server, value: str) -> None:
    """Checklist 7: whatever it is, it finds who has it and nobody else, and breaks no query and no name."""
    assert isinstance(openldap_server, OpenLdap)
    address = Address(openldap_server.address, openldap_server.port, "none")
    with Directory(address, None, time.monotonic() + 10) as directory:
        base = openldap_server.base
        both = [directory.search(base, one, ["uid"], 50) for one in (same("uid", value), any_of(same("uid", value)))]
        for found in both:
            assert {one.text("uid") for one in found.entries} <= {value.strip()}, found
        inside = all_of(same("objectClass", "inetOrgPerson"), f"(!{same('uid', value)})")
        assert len(directory.search(base, inside, ["uid"], 50).entries) >= 8
        assert directory.bind(f"uid={value},{base}", openldap_server.password) is False


def test_it_comes_back(fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checklist 34: killed it is a 503, and once it is there again nobody has to do anything."""
    with serving(OpenLdap) as server:
        assert isinstance(server, OpenLdap)
        fresh_gateway.create_service("corp", "ldap", server.new_config())
        assert log_in(fresh_gateway.anonymous, "corp", "jdoe", server.password).status_code == 200
        server.kill()
        assert message(log_in(fresh_gateway.anonymous, "corp", "jdoe", server.password), 503)
        server.start()
        assert log_in(fresh_gateway.anonymous, "corp", "jdoe", server.password).status_code == 200
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        try:
            fresh_gateway.create_service("short", "ldap", {**server.new_config(), "timeout": 1})
            assert message(log_in(fresh_gateway.anonymous, "short", "jdoe", server.password), 504)
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert log_in(fresh_gateway.anonymous, "short", "jdoe", server.password).status_code == 200
