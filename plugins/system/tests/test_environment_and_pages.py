"""Environment, cache, the root of the service, and the pages outside the API (system-api 1.4, 1.5, 7.11 to 7.13)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from asking import create_one, read, refused

from trunkline import Service
from trunkline.testing import Client, Gateway
from trunkline.testing.fixtures import settings_for


class GitHub(Service):
    """A service by which users log in."""

    label, group, icon_class = "GitHub", "OAuth", "fa-github"


class Corp(Service):
    """A directory by which users log in."""

    label, group = "Corp", "LDAP"


class Saml(Service):
    """An identity provider."""

    label, group = "SAML", "SSO"


class Okta(Service):
    """An identity provider with a way of its own."""

    label, group = "Okta", "SSO"


class TestEnvironment:
    def test_anybody_learns_how_to_log_in_and_nothing_else(self, gateway: Gateway) -> None:
        content = read(gateway.anonymous, "/system/environment")
        assert set(content) == {"authentication", "apps"}
        login = content["authentication"]
        assert {login[name] == [] for name in ("oauth", "adldap", "saml")} == {True}
        assert (login["login_attribute"], login["allow_open_registration"]) == ("email", False)
        for kind, path in (("admin", "system/admin/session"), ("user", "user/session")):
            payload = {"email": "string", "password": "string", "remember_me": "bool"}
            assert login[kind] == {"path": path, "verb": "POST", "payload": payload}

    def test_a_key_shows_the_platform_and_an_administrator_its_inside(self, gateway: Gateway) -> None:
        known = read(gateway.key_for([]), "/system/environment")
        assert set(known) == {"authentication", "apps", "platform", "server", "client", "config"}
        assert known["platform"]["license"] == "OPEN SOURCE"
        assert known["config"]["resources_wrapper"] == "resource"
        assert "packages" not in known["platform"]
        inside = read(gateway.admin, "/system/environment")["platform"]
        assert inside["db_driver"] == "sqlite"
        assert "trunkline-system" in {one["name"] for one in inside["packages"]}
        # Checklist 28: no path of this machine, not even for administrators.
        assert str(gateway.storage) not in gateway.admin.get("/system/environment").text

    def test_apps_are_those_that_the_caller_can_use(self, gateway: Gateway, admin: Client) -> None:
        role = gateway.create_role([])
        for name, more in (
            ("open", {"role_id": role}),
            ("assigned", {}),
            ("closed", {}),
            ("off", {"is_active": False, "role_id": role}),
            ("no page", {"type": 0, "role_id": role}),
        ):
            gateway.create_app(**{"name": name, "type": 2, "url": "https://example.com", **more})
        assigned = next(one for one in read(admin, "/system/app") if one["name"] == "assigned")["id"]
        link = [{"app_id": assigned, "role_id": role}]
        create_one(admin, "/system/user", email="a@ex.org", user_to_app_to_role_by_user_id=link)
        user = gateway.create_user("a@ex.org")

        def names(client: Client) -> set[str]:
            return {one["name"] for one in read(client, "/system/environment")["apps"]}

        assert names(gateway.anonymous) == {"open"}
        assert names(gateway.as_user(user)) == {"open", "assigned"}
        assert names(admin) == {"open", "assigned", "closed"}

    def test_apps_tell_where_they_begin_and_which_is_the_default(self, gateway: Gateway, admin: Client) -> None:
        role = gateway.create_role([])
        first, second = (gateway.create_app(role, type=3, path=f"app{number}/index.html") for number in (1, 2))
        found = {one["id"]: one for one in read(gateway.anonymous, "/system/environment")["apps"]}
        assert found[first["id"]]["url"] == "http://testserver/app1/index.html"
        assert {one["is_default"] for one in found.values()} == {False}
        assert admin.patch("/system/service/1", json={"config": {"default_app_id": second["id"]}}).status_code == 200
        user = gateway.create_user("chooser@ex.org", default_app_id=first["id"])
        for client, chosen in ((gateway.anonymous, second), (gateway.as_user(user), first)):
            apps = read(client, "/system/environment")["apps"]
            assert [one["id"] for one in apps if one["is_default"]] == [chosen["id"]]
        assert set(found[first["id"]]) == {
            "id", "name", "description", "url", "is_default", "allow_fullscreen_toggle", "requires_fullscreen",
            "toggle_location",
        }  # fmt: skip

    def test_registration_is_open_as_the_user_service_says(self, gateway: Gateway, admin: Client) -> None:
        def is_open() -> Any:
            return read(gateway.anonymous, "/system/environment")["authentication"]["allow_open_registration"]

        assert is_open() is False
        key = read(admin, "/system/service/user")["id"]
        assert admin.patch(f"/system/service/{key}", json={"config": {"allow_open_registration": True}}).is_success
        assert is_open() is True
        # The original failed without a user service.
        gateway.app.database.change(lambda one: one.exec_driver_sql("update service set name='x' where name='user'"))
        assert is_open() is False

    def test_other_ways_to_log_in_are_listed(self, fresh_gateway: Gateway) -> None:
        for name, kind in {"github": GitHub, "corp": Corp, "saml": Saml, "okta": Okta}.items():
            fresh_gateway.app.registry.add(name, kind)
            fresh_gateway.create_service(f"by_{name}", name, {})
        off = fresh_gateway.create_service("by_nobody", "corp", {})
        fresh_gateway.admin.patch(f"/system/service/{off['id']}", json={"is_active": False})
        login = read(fresh_gateway.anonymous, "/system/environment")["authentication"]
        assert login["oauth"] == [{
            "path": "user/session?service=by_github", "name": "by_github", "label": "by_github",
            "verb": ["GET", "POST"], "type": "github", "icon_class": "fa-github",
        }]  # fmt: skip
        assert login["adldap"] == [{
            "path": "user/session?service=by_corp", "name": "by_corp", "label": "by_corp", "verb": "POST",
            "payload": {"username": "string", "password": "string", "service": "by_corp", "remember_me": "bool"},
        }]  # fmt: skip
        assert login["saml"] == [{
            "path": "by_saml/sso", "name": "by_saml", "label": "by_saml", "verb": "GET", "type": "saml",
            "icon_class": None,
        }]  # fmt: skip

    def test_forms_and_flags_are_what_consoles_expect(self, gateway: Gateway, admin: Client) -> None:
        """admin-client 3 and 4: another licence or a number for a boolean stops the console."""
        known = read(admin, "/system/environment")
        platform = known["platform"]
        flags = ("bitnami_demo", "is_hosted", "is_trial", "license_key", "app_debug")
        assert {name: platform[name] for name in flags} == dict.fromkeys(flags, False)
        assert platform["secured_package_export"] is True
        assert {"server_os", "release", "version", "host", "machine"} == set(known["server"])
        assert known["client"] == {"user_agent": "testclient", "ip_address": "testclient", "locale": None}
        assert known["config"]["always_wrap_resources"] is True
        assert known["config"]["db"]["max_records_returned"] == gateway.app.settings.max_records
        assert set(known["config"]["db"]) == {
            "max_records_returned", "time_format", "date_format", "datetime_format", "timestamp_format",
        }  # fmt: skip

    def test_only_reading_is_open(self, gateway: Gateway) -> None:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert gateway.anonymous.request(method, "/system/environment").status_code == 400
            refused(gateway.admin.request(method, "/system/environment"), 400, "not currently supported")


class TestCache:
    def test_clearing_leaves_logged_out_tokens_dead(self, gateway: Gateway, admin: Client) -> None:
        """D22: in the original a cleared cache revived them."""
        user = gateway.create_user("gone@ex.org", is_sys_admin=True)
        client = gateway.as_user(user)
        assert client.delete("/system/admin/session").json() == {"success": True}
        for path in ("/system/cache", "/system/cache/system"):
            assert admin.delete(path).json() == {"success": True}
            refused(client.get("/system/admin/session"), 403, "The token has been blacklisted")

    def test_clearing_takes_what_is_cached_and_only_of_that_service(self, gateway: Gateway, admin: Client) -> None:
        cache = gateway.app.cache
        for key in ("cache:1:x", "cache:2:x", "login:somebody"):
            cache.set(key, 1, 60)
        assert admin.delete("/system/cache/SYSTEM").status_code == 200
        assert [cache.get(key) for key in ("cache:1:x", "cache:2:x", "login:somebody")] == [None, 1, 1]
        assert admin.delete("/system/cache").status_code == 200
        assert [cache.get(key) for key in ("cache:2:x", "login:somebody")] == [None, 1]

    def test_clearing_what_is_cached_for_an_event(self, gateway: Gateway, admin: Client) -> None:
        cache = gateway.app.cache
        for key in ("cache:_event:db.get:x", "cache:_event:db.post:x", "cache:3:x"):
            cache.set(key, 1, 60)
        assert admin.delete("/system/cache/_event/db.get").json() == {"success": True}
        assert [cache.get(f"cache:{key}:x") for key in ("_event:db.get", "_event:db.post", "3")] == [None, 1, 1]
        refused(admin.delete("/system/cache/_event"), 404)
        refused(admin.delete("/system/cache/_event/a/b"), 400)

    def test_the_list_and_what_is_not_there(self, gateway: Gateway, admin: Client) -> None:
        assert {one["name"]: set(one) for one in read(admin, "/system/cache")}["user"] == {
            "name", "label", "description", "type",
        }  # fmt: skip
        for method in ("POST", "PUT", "PATCH"):
            refused(admin.request(method, "/system/cache", json={"a": 1}), 400, "not currently supported")
        assert {"system", "user"} <= {one["name"] for one in read(admin, "/system/cache")}
        refused(admin.delete("/system/cache/nothing"), 404, "nothing")
        refused(admin.delete("/system/cache/a/b"), 400)
        few = gateway.key_for([{"service": "system", "component": "cache", "verb_mask": 1}])
        assert [one["name"] for one in read(few, "/system/cache")] == ["system"]


class TestRoot:
    def test_resources_as_the_caller_may_touch_them(self, gateway: Gateway, admin: Client) -> None:
        names = read(admin, "/system", as_list="true")
        assert {
            "admin",
            "app",
            "cache",
            "constant",
            "environment",
            "lookup",
            "role",
            "service",
            "service_type",
            "user",
        } <= set(names)
        assert read(admin, "/system")[0] == {"name": names[0]}
        assert set(read(admin, "/system", fields="*")[0]) == {
            "name", "label", "description", "read_only", "singleton", "subscription_required",
        }  # fmt: skip
        marked = {one["name"]: one["read_only"] for one in read(admin, "/system", fields="name,read_only")}
        assert [marked[name] for name in ("service_type", "environment", "constant", "role")] == [
            True,
            True,
            True,
            False,
        ]
        assert read(admin, "/system", refresh="true") == read(admin, "/system")
        few = gateway.key_for([{"service": "system", "component": "", "verb_mask": 1},
                               {"service": "system", "component": "role/*", "verb_mask": 1}])  # fmt: skip
        assert read(few, "/system", as_list="true") == ["role"]

    def test_what_a_role_editor_may_offer(self, gateway: Gateway, admin: Client) -> None:
        """D6, system-api 11.7."""
        components = read(admin, "/system", as_access_list="true")
        assert {"", "*", "role/", "role/*", "admin/session", "admin/password", "admin/profile"} <= set(components)
        assert {"", "*", "session/", "session/*"} <= set(read(admin, "/user", as_access_list="true"))
        few = gateway.key_for([{"service": "system", "component": "", "verb_mask": 1},
                               {"service": "system", "component": "role", "verb_mask": 1}])  # fmt: skip
        assert read(few, "/system", as_access_list="true") == ["", "*", "role/", "role/*"]

    def test_what_is_not_there(self, admin: Client) -> None:
        refused(admin.get("/system/nothing"), 404, "Resource 'nothing' not found for service 'system'.")
        refused(admin.post("/system", json={}), 400, "POST requests without a resource are not currently supported")
        assert admin.get("/system/constant").json() == {"resource": []}
        assert admin.get("/system/constant/x").status_code == 404
        refused(admin.post("/system/constant", json={"a": 1}), 400, "not currently supported")


class TestDirectory:
    """``GET /api/v2`` (system-api 1.3, D1)."""

    def test_it_lists_what_the_caller_may_use(self, gateway: Gateway, admin: Client) -> None:
        gateway.create_service("idle", "user", {})
        gateway.app.database.change(lambda one: one.exec_driver_sql("update service set is_active=0 where name='idle'"))
        found = read(admin, "")
        assert [one["name"] for one in found["services"]] == ["system", "user", "api_docs"]
        assert found["services"][0] == {
            "id": 1, "name": "system", "label": "System Management", "type": "system",
            "description": "Service for managing system resources.", "spec_url": "/api/v2/system/_spec",
        }  # fmt: skip
        assert {"name", "label", "group", "description"} == set(found["service_types"][0])
        few = gateway.key_for([{"service": "user", "component": "profile", "verb_mask": 1}])
        assert [one["name"] for one in read(few, "")["services"]] == ["user"]
        assert read(gateway.key_for([]), "")["services"] == []

    def test_fields_groups_and_types(self, admin: Client) -> None:
        assert read(admin, "", fields="id,nonsense,type")["services"][0] == {"id": 1, "type": "system"}
        assert set(read(admin, "", fields="name")["services"][0]) == {"name", "spec_url"}
        for params in ({"group": "SYSTEM"}, {"type": "system"}):
            found = read(admin, "", **params)
            assert [one["name"] for one in found["services"]] == ["system"]
            assert [one["name"] for one in found["service_types"]] == ["system"]
        assert [one["name"] for one in read(admin, "", type="user,system")["services"]] == ["system", "user"]


class TestPages:
    @pytest.fixture
    def named(self, tmp_path: Path) -> Any:
        """A gateway whose name an unkind operator chose."""
        with Gateway(
            settings_for(tmp_path, app_name="<script>alert(1)</script> & $name", app_url="http://x")
        ) as started:
            started.create_service("secret_service", "user", {})
            started.create_user("somebody@ex.org", first_name="Somebody")
            yield started

    def test_the_start_page_is_escaped_and_runs_nothing(self, named: Gateway) -> None:
        """Checklist 38."""
        page = named._http.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert "<script" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; $name" in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"

    def test_the_pages_tell_no_names(self, named: Gateway) -> None:
        """Checklist 9: nobody has logged in."""
        for path in ("/", "/status", "/up"):
            text = named._http.get(path).text
            for name in ("secret_service", "omebody", "admin@example.com", str(named.storage)):
                assert name not in text, path

    def test_the_status_counts(self, named: Gateway) -> None:
        status = named._http.get("/status").json()
        assert status["resources"] == {"app": 0, "admin": 1, "user": 1, "service": 4, "role": 0}
        assert (status["uri"], status["license"], status["managed"]) == ("http://testserver", "OPEN SOURCE", False)

    def test_health(self, named: Gateway) -> None:
        assert (named._http.get("/up").status_code, named._http.get("/up").text) == (200, "ok")

    def test_the_start_page_says_what_to_do_first(self, tmp_path: Path) -> None:
        with Gateway(settings_for(tmp_path)) as started:
            assert "POST /api/v2/system/admin/session" in started._http.get("/").text
            started.app.database.change(lambda connection: connection.exec_driver_sql('delete from "user"'))
            assert "trunkline setup" in started._http.get("/").text

    def test_anything_else_is_a_404_with_the_envelope(self, named: Gateway) -> None:
        for method, path in (("GET", "/nothing"), ("POST", "/"), ("GET", "/..%2f")):
            reply = named._http.request(method, path)
            assert reply.status_code == 404, path
            assert set(reply.json()["error"]) == {"code", "context", "message", "status_code"}
