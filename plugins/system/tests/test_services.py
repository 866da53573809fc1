"""Services and service types (system-api 7.5 and 7.6; D7, D16)."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from asking import create_one, fields_refused, read, refused

from trunkline import Call, Config, Field, Resource, Secret, Service
from trunkline.db import tables
from trunkline.testing import Client, Gateway


class BoxConfig(Config):
    """What a box needs."""

    host: str = Field(title="Host", description="Where it is.")
    port: int = Field(default=80, title="Port", description="Where it listens.")
    password: Secret | None = Field(default=None, title="Password", description="What opens it.")


class Look(Resource):
    """Shows the configuration as the service sees it."""

    name = "look"

    async def get(self, _call: Call, _rest: tuple[str, ...]) -> Any:
        config = self.service.config
        assert isinstance(config, BoxConfig)
        return {"host": config.host, "port": config.port, "opens": bool(config.password)}


class Box(Service):
    """A service that keeps a secret."""

    label = "Box"
    description = "Keeps a secret."
    group = "Test"
    resources = (Look,)
    config: BoxConfig


@pytest.fixture
def admin(gateway: Gateway) -> Client:
    """An administrator of a gateway where boxes are installed."""
    gateway.app.registry.add("box", Box)
    return gateway.admin


def box(admin: Client, name: str, **more: Any) -> dict[str, Any]:
    config = {"host": "here", "password": "open sesame"}
    return create_one(admin, "/system/service", name=name, type="box", is_active=True, **{"config": config, **more})


def stored(gateway: Gateway, key: int) -> str:
    query = sa.select(tables.service.c.config).where(tables.service.c.id == key)
    return str(gateway.app.database.read(lambda connection: connection.scalar(query)))


class TestCreating:
    def test_it_serves_from_the_next_request_on(self, admin: Client) -> None:
        box(admin, "fresh")
        assert read(admin, "/fresh/look") == {"host": "here", "port": 80, "opens": True}

    def test_defaults(self, admin: Client) -> None:
        made = create_one(admin, "/system/service", name="plain", type="box", config={"host": "h", "noise": 1})
        assert (made["label"], made["is_active"], made["mutable"], made["deletable"]) == ("plain", False, True, True)
        assert made["config"] == {"service_id": made["id"], "host": "h", "port": 80, "password": None}
        refused(admin.get("/plain/look"), 403, "Service plain is deactivated.")

    def test_secrets_are_masked_and_stored_encrypted(self, gateway: Gateway, admin: Client) -> None:
        """Checklist 27."""
        made = box(admin, "veiled")
        assert made["config"]["password"] == "**********"
        assert "open sesame" not in stored(gateway, made["id"])
        assert "host" in stored(gateway, made["id"])

    @pytest.mark.parametrize(
        ("record", "field"),
        [
            ({"name": None}, "name"),
            ({"name": ""}, "name"),
            ({"name": "a b"}, "name"),
            ({"name": "a/b"}, "name"),
            ({"name": "ümlaut"}, "name"),
            ({"name": "x\n"}, "name"),
            ({"name": "x" * 41}, "name"),
            ({"name": "SYSTEM"}, "name"),
            ({"name": "api"}, "name"),
            ({"name": "Status"}, "name"),
            ({"name": "mcp"}, "name"),
            ({"type": None}, "type"),
            ({"type": ""}, "type"),
            ({"type": "no_such_type"}, "type"),
            ({"config": None}, "host"),
            ({"config": {}}, "host"),
            ({"config": {"host": None}}, "host"),
            ({"config": {"host": "h", "port": "many"}}, "port"),
            ({"config": "host=h"}, "config"),
            ({"config": [1]}, "config"),
            ({"is_active": "x"}, "is_active"),
        ],
    )
    def test_what_cannot_work_is_refused_and_named(self, admin: Client, record: dict[str, Any], field: str) -> None:
        """D16: the original stored it, and answered 500 at every call."""
        sent = {"name": "wrong", "type": "box", "config": {"host": "h"}, **record}
        fields_refused(admin.post("/system/service", json={"resource": [sent]}), field)
        assert read(admin, "/system/service", filter="name=wrong") == []

    def test_a_missing_package_is_named(self, admin: Client) -> None:
        reply = admin.post("/system/service", json={"name": "s", "type": "drop_box"})
        refused(reply, 400, "Service type 'drop_box' is not installed. Try: pip install trunkline-drop-box")

    def test_what_people_read_has_no_tags(self, admin: Client) -> None:
        """Checklist 38: stored markup was shown unescaped by old clients."""
        made = box(admin, "tags", label="<img src=x onerror=alert(1)>Box", description="a <b>bold</b> word, 1 < 2")
        assert (made["label"], made["description"]) == ("Box", "a bold word, 1 < 2")

    def test_what_a_form_sends_along_is_ignored(self, admin: Client) -> None:
        """admin-client 1: unknown fields, stamps and flags in a body, numbers as text, blanks for untouched numbers."""
        config = {"host": "h", "port": "5433", "service_id": 7}
        made = box(admin, "form", id=0, storage_service_id=1, mutable=False, deletable=False, config=config)
        assert (made["config"]["port"], made["mutable"], made["deletable"]) == (5433, True, True)
        assert box(admin, "blank", id=None, config={"host": "h", "port": ""})["config"]["port"] == 80


class TestUpdating:
    def test_config_is_merged_and_a_mask_keeps_the_secret(self, admin: Client) -> None:
        made = box(admin, "merged")
        path = f"/system/service/{made['id']}"
        admin.patch(path, json={"config": {"port": 81, "password": "**********"}})
        assert read(admin, "/merged/look") == {"host": "here", "port": 81, "opens": True}
        admin.put(path, json=read(admin, path))
        assert read(admin, "/merged/look")["opens"] is True
        admin.patch(path, json={"config": {"password": None}})
        assert read(admin, "/merged/look")["opens"] is False
        fields_refused(admin.patch(path, json={"config": {"host": None}}), "host")
        assert read(admin, "/merged/look")["host"] == "here"

    def test_a_null_description_can_be_updated(self, admin: Client) -> None:
        """D23."""
        made = box(admin, "described", description=None)
        path = f"/system/service/{made['id']}"
        assert admin.patch(path, json={"description": "new"}).status_code == 200
        assert admin.patch(path, json={"description": None}).status_code == 200
        assert read(admin, path)["description"] is None

    def test_the_type_stays(self, admin: Client) -> None:
        made = box(admin, "typed")
        fields_refused(admin.patch(f"/system/service/{made['id']}", json={"type": "user"}), "type")
        assert admin.patch(f"/system/service/{made['id']}", json={"type": "box"}).status_code == 200

    def test_config_cannot_be_searched(self, admin: Client) -> None:
        for params in ({"filter": "config like '%here%'"}, {"order": "config"}):
            refused(admin.get("/system/service", params=params), 400, "config")

    def test_a_renamed_service_answers_to_its_new_name_only(self, admin: Client) -> None:
        made = box(admin, "before")
        assert admin.get("/before/look").status_code == 200
        assert admin.patch(f"/system/service/{made['id']}", json={"name": "After"}).status_code == 200
        assert admin.get("/before/look").status_code == 404
        assert admin.get("/after/look").status_code == admin.get("/AFTER/look").status_code == 200


class TestKeptServices:
    """D7: what the gateway cannot do without stays."""

    def test_they_are_there_from_the_start_in_order(self, admin: Client) -> None:
        found = [one for one in read(admin, "/system/service") if not one["deletable"]]
        assert (found[0]["id"], found[0]["name"]) == (1, "system")
        assert {"system", "user"} <= {one["name"] for one in found}
        assert found[0]["mutable"] is False

    @pytest.mark.parametrize("key", [1, 2])
    def test_they_can_neither_be_deleted_nor_switched_off(self, admin: Client, key: int) -> None:
        path = f"/system/service/{key}"
        refused(admin.delete(path), 403, "can not be deleted")
        refused(admin.patch(path, json={"is_active": False}), 403, "can not be deactivated")
        refused(admin.delete("/system/service", params={"ids": key}), 400)
        refused(admin.delete("/system/service", params={"force": "true"}), 400)
        assert read(admin, path)["is_active"] is True

    def test_the_system_service_keeps_its_name(self, admin: Client) -> None:
        refused(admin.patch("/system/service/1", json={"name": "other"}), 403, "can not be renamed")
        assert admin.patch("/system/service/1", json={"label": "Ours", "name": "system"}).status_code == 200

    def test_a_sent_flag_opens_nothing(self, admin: Client) -> None:
        """Checklist 14."""
        assert admin.patch("/system/service/1", json={"deletable": True, "mutable": True}).status_code == 200
        refused(admin.delete("/system/service/1"), 403)


class TestReading:
    def test_by_name_as_by_id(self, admin: Client) -> None:
        """D16."""
        made = box(admin, "Named")
        for name in ("Named", "named", "NAMED"):
            assert read(admin, f"/system/service/{name}")["id"] == made["id"]
        assert read(admin, "/system/service/named", fields="name") == {"name": "Named"}
        refused(admin.get("/system/service/nobody"), 404, "Record with identifier 'nobody' not found.")

    def test_a_secret_does_not_come_by_any_field_list(self, admin: Client) -> None:
        made = box(admin, "listed")
        for fields in ("*", "config", "id,name,config", None):
            found = admin.get(f"/system/service/{made['id']}", params={"fields": fields} if fields else None)
            assert "open sesame" not in found.text
            assert "tl1:" not in found.text

    def test_others_see_the_services_of_their_role_only(self, gateway: Gateway, admin: Client) -> None:
        """system-api 7.5; checklist 9: what is not theirs is not there, by id, name, filter and count alike."""
        mine, other = box(admin, "mine"), box(admin, "other")
        client = gateway.key_for(
            [
                {"service": "system", "component": "service", "verb_mask": 31},
                {"service": "system", "component": "service/*", "verb_mask": 31},
                {"service": "mine", "component": "*", "verb_mask": 1},
            ]
        )
        assert {one["name"] for one in read(client, "/system/service")} == {"system", "mine"}
        assert read(client, "/system/service/mine")["id"] == mine["id"]
        for key in (other["id"], "other", 9999, "nobody"):
            refused(client.get(f"/system/service/{key}"), 404, f"Record with identifier '{key}' not found.")
        counted = client.get("/system/service", params={"count_only": "true", "filter": "name = other"})
        assert counted.json() == 0
        assert client.get("/system/service", params={"ids": other["id"]}).status_code == 400
        assert client.patch(f"/system/service/{other['id']}", json={"label": "x"}).status_code == 404
        assert client.delete(f"/system/service/{other['id']}").status_code == 404
        assert client.delete("/system/service", params={"filter": "name = other"}).json() == {"resource": []}
        assert admin.get("/other/look").status_code == 200

    def test_a_row_for_every_service_shows_every_service(self, gateway: Gateway, admin: Client) -> None:
        client = gateway.key_for([{"service": None, "component": "*", "verb_mask": 1}])
        assert len(read(client, "/system/service")) == len(read(admin, "/system/service"))

    def test_an_uninstalled_type_shows_no_config(self, gateway: Gateway, admin: Client) -> None:
        """Checklist 27: without its declaration nobody knows which fields are secret."""
        sealed = '{"password": "was never encrypted"}'
        key = gateway._insert(tables.service, name="gone", type="gone_type", is_active=True, config=sealed)["id"]
        assert read(admin, f"/system/service/{key}")["config"] == {"service_id": key}
        refused(admin.get("/gone"), 503, "pip install trunkline-gone-type")
        assert admin.delete(f"/system/service/{key}").status_code == 200


class TestDocuments:
    def test_a_document_is_kept_beside_the_service(self, admin: Client) -> None:
        texts = ('{"paths": {}}', "openapi: 3.0.0\n", "not: [a document")
        for number, text in enumerate(texts):
            doc = {"format": min(number, 1), "content": text}
            made = box(admin, f"documented{number}", service_doc_by_service_id=doc)
            found = made["service_doc_by_service_id"]
            assert {name: found[name] for name in doc} == doc
            assert found["service_id"] == made["id"]
            assert found["created_date"]

    def test_it_is_changed_removed_and_may_come_as_json(self, admin: Client) -> None:
        made = box(admin, "redocumented")
        path, name = f"/system/service/{made['id']}", "service_doc_by_service_id"
        assert made[name] is None
        for sent, kept in (({"a": [1]}, '{"a":[1]}'), ("{}", "{}"), (None, None)):
            assert admin.patch(path, json={name: {"content": sent}}).status_code == 200
            assert read(admin, path, related=name)[name]["content"] == kept
        assert admin.patch(path, json={name: None}).status_code == 200
        assert read(admin, path, related=name)[name] is None
        assert name not in read(admin, path)

    @pytest.mark.parametrize("doc", [{"format": 2}, {"format": "yaml"}])
    def test_another_format_is_refused(self, admin: Client, doc: dict[str, Any]) -> None:
        sent = {"name": "undocumented", "type": "box", "config": {"host": "h"}, "service_doc_by_service_id": doc}
        fields_refused(admin.post("/system/service", json={"resource": [sent]}), "format")
        assert read(admin, "/system/service", filter="name=undocumented") == []


class TestServiceTypes:
    def test_types_are_listed_by_name_with_all_a_form_needs(self, admin: Client) -> None:
        found = read(admin, "/system/service_type")
        names = [one["name"] for one in found]
        assert names == sorted(names)
        assert {"box", "system", "user"} <= set(names)
        shown = next(one for one in found if one["name"] == "box")
        assert (shown["label"], shown["group"], shown["description"]) == ("Box", "Test", "Keeps a secret.")
        assert {one["name"]: (one["type"], one["required"]) for one in shown["config_schema"]} == {
            "host": ("string", True),
            "port": ("integer", False),
            "password": ("password", False),
        }
        assert all(one["label"] and one["description"] for one in shown["config_schema"])

    def test_one_type_a_group_and_fields(self, admin: Client) -> None:
        assert read(admin, "/system/service_type/box")["name"] == "box"
        refused(admin.get("/system/service_type/nothing"), 404, "Service type 'nothing' not found.")
        assert admin.get("/system/service_type/box/more").status_code == 404
        found = admin.get(
            "/system/service_type", params={"group": "test,none", "fields": "name", "include_count": "true"}
        )
        assert found.json() == {"resource": [{"name": "box"}], "meta": {"count": 1}}
        assert read(admin, "/system/service_type", group="Test", as_list="true") == ["box"]

    def test_unknown_names(self, admin: Client) -> None:
        """D9 for fields; a group is only compared, as forms ask for groups that have no type here."""
        for path in ("/system/service_type", "/system/service_type/box"):
            refused(admin.get(path, params={"fields": "name,nonsense"}), 400, "Invalid field requested: nonsense")
        assert admin.get("/system/service_type", params={"group": "nothing"}).json() == {"resource": []}
        assert len(read(admin, "/system/service_type", group="", fields="*")) > 2

    def test_nothing_can_be_written(self, admin: Client) -> None:
        for method in ("POST", "PATCH", "PUT", "DELETE"):
            refused(admin.request(method, "/system/service_type", json={"name": "x"}), 400, "not currently supported")
