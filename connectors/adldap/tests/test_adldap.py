"""``adldap`` passes the suite of its family on a domain controller of Samba's; and what only domains have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from directory_servers import SambaDomain
from servers import Server, serving

from trunkline.testing import Gateway
from trunkline_directory.testing import INVALID, DirectorySuite, People, log_in, message

pytestmark = pytest.mark.live


@pytest.fixture
def server(samba_server: Server) -> SambaDomain:
    assert isinstance(samba_server, SambaDomain)
    return samba_server


class TestAdldap(DirectorySuite):
    service_type = "adldap"

    @pytest.fixture
    def config(self, server: SambaDomain) -> dict[str, Any]:
        return {**server.new_config(), "username": "reader", "password": server.password}

    @pytest.fixture
    def people(self, server: SambaDomain) -> People:
        return People(
            password=server.password, name="jdoe", email="jane@mail.example", other="bob",
            groups=[server.group(one) for one in ("Domain Users", "staff")],
            odd=["a(b)# é", "a(b)# é@ad.example.org", "odd@example.org"],
            barred=["disabled", "ended", "fresh", "PC1$", "Guest", "krbtgt"],
        )  # fmt: skip

    @pytest.fixture
    def secure(self, server: SambaDomain) -> Sequence[Mapping[str, Any]]:
        return [
            {"host": f"ldaps://{server.address}", "ca_certificate": server.authority},
            {"host": f"{server.address}:389", "encryption": "starttls", "ca_certificate": server.authority},
        ]

    @pytest.fixture
    def reading(self, gateway: Gateway, service: str) -> Any:
        """Read below the service, as an administrator."""

        def read(path: str, **params: Any) -> Any:
            reply = gateway.admin.get(f"/{service}/{path}", params=params)
            assert reply.status_code == 200, reply.text
            return reply.json()

        return read

    def test_the_form(self, gateway: Gateway) -> None:
        """Connectors 13.4: the fields in their order, ours behind them."""
        schema = gateway.admin.get("/system/service_type/adldap").json()["config_schema"]
        assert [(one["name"], one["label"], one["type"]) for one in schema][2:] == [
            ("host", "Host", "string"), ("base_dn", "Base DN", "string"),
            ("account_suffix", "Account Suffix", "string"), ("map_group_to_role", "Map Group To Role", "boolean"),
            ("username", "Username", "string"), ("password", "Password", "text"),
            ("map_group_hierarchy", "Allow Group Hierarchy When Mapping", "boolean"),
            ("encryption", "Encryption", "picklist"), ("ca_certificate", "CA Certificate", "text"),
            ("timeout", "Timeout", "integer"),
        ]  # fmt: skip
        assert [one["name"] for one in schema[:2]] == ["default_role", "app_role_map"]

    def test_who_searches_for_themselves(self, gateway: Gateway, server: SambaDomain, people: People) -> None:
        """Without an account in the configuration, people search as themselves."""
        for suffix in (None, server.suffix):
            service = self.another(gateway, server.new_config(), account_suffix=suffix)
            found = set()
            for name in ("jdoe", "jdoe@ad.example.org", "jane.doe@corp.example", "JDOE"):
                reply = log_in(gateway.anonymous, service, name, people.password)
                assert reply.status_code == 200, (name, reply.text)
                assert set(people.groups) <= set(reply.json()["groupMembership"])
                found.add(reply.json()["id"])
            assert len(found) == 1

    @pytest.mark.usefixtures("prompt")
    def test_who_may_not_search_either(self, gateway: Gateway, server: SambaDomain, people: People) -> None:
        service = self.another(gateway, server.new_config())
        names = [*people.barred, "nobody", "jane@mail.example", "Jane Doe", "EXAMPLE\\jdoe", "*", server.person("jdoe")]
        for name in names:
            assert message(log_in(gateway.anonymous, service, name, people.password), 401) == INVALID, name

    @pytest.mark.usefixtures("prompt")
    def test_nobody_comes_in_as_somebody_else(self, gateway: Gateway, server: SambaDomain, people: People) -> None:
        """A principal may be named like another's account: the password is tried on the very entry that was found."""
        password = "Another-pass-1"
        secret = f'"{password}"'.encode("utf-16-le")
        server.add([
            server.somebody("mallory", userPrincipalName="victim@corp.example", mail="victim@ad.example.org"),
            server.somebody("victim", userPrincipalName="v@corp.example", unicodePwd=secret),
        ])  # fmt: skip
        account = {"username": "reader@ad.example.org", "password": server.password}
        for more in ({"account_suffix": "@corp.example"}, account, {**account, "account_suffix": "@corp.example"}):
            service = self.another(gateway, {**server.new_config(), **more})
            theirs = log_in(gateway.anonymous, service, "v@corp.example", password).json()["id"]
            for name in ("victim", "VICTIM", "victim@ad.example.org", "victim@corp.example", "mallory"):
                reply = log_in(gateway.anonymous, service, name, people.password)
                assert reply.status_code == 401 or reply.json()["id"] != theirs, (name, more)

    @pytest.mark.usefixtures("prompt")
    def test_who_is_disabled_later(self, gateway: Gateway, service: str, server: SambaDomain, people: People) -> None:
        server.add([server.somebody("later")])
        assert log_in(gateway.anonymous, service, "later", people.password).status_code == 200
        changes = {"userAccountControl": (514, 512), "accountExpires": (116444736010000000, 0), "pwdLastSet": (0, -1)}
        for attribute, (off, on) in changes.items():
            server.change(server.person("later"), **{attribute: off})
            assert message(log_in(gateway.anonymous, service, "later", people.password), 401) == INVALID, attribute
            server.change(server.person("later"), **{attribute: on})
            assert log_in(gateway.anonymous, service, "later", people.password).status_code == 200, attribute

    def test_groups_of_groups(self, gateway: Gateway, config: dict[str, Any], server: SambaDomain) -> None:
        """Also those that the primary group is in; direct ones come first."""
        role, app = gateway.create_role([]), gateway.create_app()
        changed = {"role_adldap_by_role_id": {"dn": server.group("company")}}
        assert gateway.admin.patch(f"/system/role/{role}", json=changed).status_code == 200
        flat, deep = (
            self.another(gateway, config, map_group_to_role=True, map_group_hierarchy=one) for one in (False, True)
        )
        client = gateway.with_key(app["api_key"])
        reply = log_in(client, flat, "jdoe", server.password).json()
        assert "role_id" not in reply
        direct = [server.group("Domain Users"), server.group("staff")]
        assert reply["groupMembership"] == direct
        reply = log_in(client, deep, "jdoe", server.password).json()
        assert reply["role_id"] == role
        assert reply["groupMembership"][:2] == direct
        above = {server.group("division"), server.group("company"), f"CN=Users,CN=Builtin,{server.base}"}
        assert set(reply["groupMembership"][2:]) == above

    def test_what_can_be_read(self, reading: Any, server: SambaDomain) -> None:
        """System-api 21.4."""
        assert [one["name"] for one in reading("")["resource"]] == ["computer", "group", "user"]
        users = reading("user")["resource"]
        jane = next(one for one in users if one["sAMAccountName"] == "jdoe")
        assert jane == reading("user/jdoe") == reading("user", username="jdoe")["resource"][0]
        assert (jane["dn"], jane["mail"]) == (server.person("jdoe"), "jane@mail.example")
        assert jane["memberOf"] == [server.group("staff")]
        assert reading("user/jane.doe@corp.example") == jane
        assert not any(one["sAMAccountName"].endswith("$") for one in users)
        assert {"jdoe", "bob", "reader"} <= set(reading("user", as_list=True)["resource"])
        assert {"PC1", "DC1"} == set(reading("computer", as_list=True)["resource"])
        assert reading("computer/PC1")["sAMAccountName"] == reading("computer/PC1$")["sAMAccountName"] == "PC1$"
        assert {"staff", "Domain Users"} <= set(reading("group", as_list=True)["resource"])
        assert set(reading("group", user="jdoe", as_list=True)["resource"]) == {"Domain Users", "staff"}
        assert reading("group", user="nobody") == {"resource": []}
        odd = reading("user/a(b)%23 é")
        assert odd["mail"] == "odd@example.org"

    def test_fields(self, reading: Any, gateway: Gateway, service: str) -> None:
        assert set(reading("user/jdoe", fields="mail,objectGUID,objectSid,accountExpires")) == {
            "dn", "mail", "objectGUID", "objectSid", "accountExpires",
        }  # fmt: skip
        told = reading("user/ended", fields="objectGUID,objectSid,accountExpires,userAccountControl,whenCreated")
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", told["objectGUID"])
        assert re.fullmatch(r"S-1-5-21(-\d+){4}", told["objectSid"])
        assert (told["accountExpires"], told["userAccountControl"]) == ("1970-01-01 00:00:01", 512)
        assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", told["whenCreated"])
        everything = reading("user/jdoe", fields="*")
        assert everything["samaccountname"] == "jdoe"
        assert "unicodepwd" not in everything
        for bad in ("unicodePwd", "mail,ms-Mcs-AdmPwd", "a b;c", "(x=*)"):
            assert message(gateway.admin.get(f"/{service}/user", params={"fields": bad}), 400)

    def test_filters(self, reading: Any, gateway: Gateway, service: str) -> None:
        """Checklist 7: a filter narrows a list, and can not reach beyond its kind."""
        found = reading("user", filter="(|(mail=jane@mail.example)(sAMAccountName=bo*))", as_list=True)["resource"]
        assert sorted(found) == ["bob", "jdoe"]
        assert reading("user", filter="sAMAccountName=jdoe", as_list=True) == {"resource": ["jdoe"]}
        assert reading("user", filter="(!(sAMAccountName=*))", as_list=True) == {"resource": []}
        assert reading("user", filter="(objectClass=group)", as_list=True) == {"resource": []}
        assert reading("user", filter=r"(sAMAccountName=a\28b\29#*)", as_list=True)["resource"] == ["a(b)# é"]
        chain = "(memberOf:1.2.840.113556.1.4.1941:=CN=company,CN=Users,DC=ad,DC=example,DC=org)"
        assert reading("user", filter=chain, as_list=True) == {"resource": ["jdoe"]}
        assert set(reading("group", filter="(cn=division)")["resource"][0]) >= {"dn", "cn"}
        for bad in (
            "(mail=a)(mail=b)", "(mail=a))(|(objectClass=*)", "mail=a)(objectClass=*", "(mail", "(&)", "()", "(=x)",
            "(unicodePwd=*)", "(!(ms-Mcs-AdmPwd=a*))", "(mail=\\zz)", "(mail>=a*)", "(mail:1.2=x)", "(" * 50 + ")" * 50,
            "(!" * 40 + "(a=b)" + ")" * 40, "(mail=" + "a" * 5000 + ")", "(|" + "(a=b)" * 200 + ")", "(mail=a\0)",
        ):  # fmt: skip
            reply = gateway.admin.get(f"/{service}/user", params={"filter": bad})
            assert reply.status_code == 400, (bad, reply.text)

    def test_lists_have_an_end(self, reading: Any, gateway: Gateway, service: str) -> None:
        told = reading("user", limit=2)
        assert len(told["resource"]) == 2
        assert told["meta"] == {"count": 2, "is_complete": False}
        assert "meta" not in reading("user", limit=900)
        for bad in ("0", "-1", "x"):
            assert message(gateway.admin.get(f"/{service}/user", params={"limit": bad}), 400)

    def test_what_can_not_be_read(self, gateway: Gateway, config: dict[str, Any], service: str) -> None:
        assert message(gateway.admin.get(f"/{service}/user/nobody"), 404) == "There is no user 'nobody'."
        assert message(gateway.admin.get(f"/{service}/user/*"), 404)
        assert message(gateway.admin.get(f"/{service}/user/jdoe/x"), 404)
        assert message(gateway.admin.get(f"/{service}/group/jdoe"), 404)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert gateway.admin.request(method, f"/{service}/user/jdoe", json={}).status_code == 400
        bare = self.another(gateway, {**config, "username": None, "password": None})
        assert "no username and password" in message(gateway.admin.get(f"/{bare}/user"), 500)
        wrong = self.another(gateway, {**config, "password": "wrong"})
        assert "refuses the account" in message(gateway.admin.get(f"/{wrong}/user"), 502)

    def test_roles_open_what_they_name(self, gateway: Gateway, service: str) -> None:
        groups = gateway.key_for([{"service": service, "component": "group/*", "verb_mask": 1}])
        assert groups.get(f"/{service}/group/staff").status_code == 200
        assert groups.get(f"/{service}/user/jdoe").status_code == 401
        assert groups.get(f"/{service}/user").status_code == 401
        document = gateway.admin.get(f"/{service}/_spec").json()
        assert {"/user", "/user/{name}", "/group", "/group/{name}", "/computer"} <= set(document["paths"])
        listed = gateway.admin.get(f"/{service}", params={"as_access_list": "true"}).json()["resource"]
        assert {"user/", "user/*", "group/*", "computer/*"} <= set(listed)


def test_it_comes_back(fresh_gateway: Gateway) -> None:
    """Checklist 34."""
    with serving(SambaDomain) as server:
        assert isinstance(server, SambaDomain)
        account = {"username": "reader", "password": server.password}
        fresh_gateway.create_service("corp", "adldap", {**server.new_config(), **account})
        assert fresh_gateway.admin.get("/corp/user/jdoe").status_code == 200
        server.kill()
        assert message(log_in(fresh_gateway.anonymous, "corp", "jdoe", server.password), 503)
        assert message(fresh_gateway.admin.get("/corp/user/jdoe"), 503)
        server.start()
        assert log_in(fresh_gateway.anonymous, "corp", "jdoe", server.password).status_code == 200
        assert fresh_gateway.admin.get("/corp/user/jdoe").status_code == 200
