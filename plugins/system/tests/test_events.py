"""Names of events (system-api 7.14 and 15)."""

from __future__ import annotations

import pytest
from asking import read, refused

from trunkline import Call, Resource, Service
from trunkline.testing import Client, Gateway


class Ring(Resource):
    """Tells that it was heard."""

    name = "ring"
    named_events = ("{id}.heard",)

    def get(self, _call: Call, _rest: tuple[str, ...]) -> str:
        return "ring"


class Bell(Service):
    """A service that tells something beside its calls."""

    label = "Bell"
    resources = (Ring,)


@pytest.fixture
def shop(gateway: Gateway, admin: Client) -> Client:
    """An administrator of a gateway with a database of two tables."""
    if admin.get("/shop").status_code != 200:
        gateway.create_service("shop", "sqlite", {"database": "shop.db"})
        for name in ("book", "order"):
            fields = [{"name": "id", "type": "id"}]
            assert admin.post("/shop/_schema", json={"resource": [{"name": name, "field": fields}]}).status_code == 200
    return admin


class TestMap:
    def test_a_service_has_its_root_its_resources_and_those_below(self, admin: Client) -> None:
        events = admin.get("/system/event").json()
        assert {"system", "user"} <= set(events)
        assert events["system"]["system"] == {"type": "api", "endpoints": ["system.get"], "parameter": None}
        verbs = ("get", "post", "put", "patch", "delete")
        expected = {"type": "api", "endpoints": [f"system.role.{verb}" for verb in verbs], "parameter": None}
        assert events["system"]["system.role"] == expected
        assert events["system"]["system.environment"]["endpoints"] == ["system.environment.get"]
        assert "system.admin.session.post" in events["system"]["system.admin.session"]["endpoints"]
        assert events["user"]["user.session"]["endpoints"][:2] == ["user.session.get", "user.session.post"]

    def test_a_database_has_a_template_and_its_tables_as_parameters(self, shop: Client) -> None:
        events = read(shop, "/system/event", service="shop")["shop"]
        assert {"shop", "shop._table", "shop._table.{table_name}", "shop._schema", "shop._schema.{table_name}"} <= set(
            events
        )
        found = events["shop._table.{table_name}"]
        assert found["type"] == "api"
        assert found["endpoints"][0] == "shop._table.{table_name}.get"
        assert found["parameter"] == {"table_name": ["book", "order"]}
        assert events["shop._table"]["parameter"] is None

    def test_scripts_have_phases(self, admin: Client) -> None:
        found = read(admin, "/system/event", service="user", scriptable="true")["user"]["user.profile"]["endpoints"]
        name = "user.profile.get"
        assert found[:4] == [name, f"{name}.pre_process", f"{name}.post_process", f"{name}.queued"]

    def test_what_is_no_call_is_only_queued(self, gateway: Gateway, admin: Client) -> None:
        gateway.app.registry.add("bell", Bell)
        gateway.create_service("bell", "bell", {})
        name = "bell.ring.{id}.heard"
        plain = read(admin, "/system/event", service="bell")["bell"]
        assert plain["bell.ring.{id}"] == {"type": "service", "endpoints": [name], "parameter": None}
        assert plain["bell.ring"]["endpoints"] == ["bell.ring.get"]
        scripts = read(admin, "/system/event", service="bell", scriptable="true")["bell"]["bell.ring.{id}"]
        assert scripts["endpoints"] == [name, f"{name}.queued"]

    def test_a_flat_list_has_the_names_filled_in_too(self, shop: Client) -> None:
        names = read(shop, "/system/event", service="shop", as_list="true")
        assert {"shop.get", "shop._table.{table_name}.get", "shop._table.book.patch"} <= set(names)
        assert len(set(names)) == len(names)
        scripts = read(shop, "/system/event", service="SHOP", as_list="true", scriptable="true")
        assert "shop._table.book.patch.pre_process" in scripts
        assert len(scripts) == 4 * len(names)

    def test_services_only(self, shop: Client) -> None:
        names = read(shop, "/system/event", services_only="true")
        assert names == sorted(names)
        assert {"shop", "system", "user"} <= set(names)

    def test_what_cannot_be_asked_hides_no_other(self, gateway: Gateway, shop: Client) -> None:
        gateway.create_service("gone", "pgsql", {"host": "127.0.0.1", "port": 1, "database": "x", "username": "x"})
        events = read(shop, "/system/event")
        assert events["gone"]["gone._table.{table_name}"]["parameter"] == {"table_name": []}
        assert events["shop"]["shop._table.{table_name}"]["parameter"] == {"table_name": ["book", "order"]}


class TestRights:
    def test_callers_see_the_services_and_tables_that_they_may_use(self, gateway: Gateway, shop: Client) -> None:
        del shop
        may_list = {"service": "system", "component": "event", "verb_mask": 1}
        client = gateway.key_for([may_list, {"service": "shop", "component": "_table/book", "verb_mask": 1}])
        assert read(client, "/system/event", services_only="true") == ["shop", "system"]
        found = read(client, "/system/event")["shop"]
        assert found["shop._table.{table_name}"]["parameter"] == {"table_name": ["book"]}
        assert found["shop._schema.{table_name}"]["parameter"] == {"table_name": []}
        assert "user" not in read(client, "/system/event")

    def test_what_is_not_there_and_what_is_not_theirs_look_alike(self, gateway: Gateway) -> None:
        client = gateway.key_for([{"service": "system", "component": "event", "verb_mask": 1}])
        for name in ("user", "nothing"):
            refused(client.get("/system/event", params={"service": name}), 404, f"Could not find a service for {name}")

    def test_nothing_is_written_here_and_nothing_is_below(self, gateway: Gateway, admin: Client) -> None:
        refused(admin.get("/system/event/user"), 404)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            refused(admin.request(method, "/system/event"), 400, "not currently supported")
        refused(gateway.anonymous.get("/system/event"), 400)
