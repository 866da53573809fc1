"""The documents of ``api_docs``: valid, narrowed to the caller, in both versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from trunkline import Resource, Service
from trunkline.call import Call
from trunkline.testing import Gateway

VALIDATORS = {"3.0": OpenAPIV30SpecValidator, "3.1": OpenAPIV31SpecValidator}
Document = Callable[..., dict[str, Any]]


def check(document: dict[str, Any], version: str) -> None:
    """Check a document against the official meta-schema of its version, and its references."""
    assert document["openapi"] == f"{version}.0"
    errors = [(list(one.absolute_path), one.message) for one in VALIDATORS[version](document).iter_errors()]
    assert errors == []
    ids = [one["operationId"] for item in document["paths"].values() for one in item.values() if "operationId" in one]
    assert len(ids) == len(set(ids))


def schema_in(document: dict[str, Any], reference: dict[str, Any]) -> jsonschema.Draft202012Validator:
    """Make a validator for a schema of a document in 3.1."""
    registry: Registry[Any] = Registry().with_resource("urn:doc", DRAFT202012.create_resource(document))
    absolute = {"$ref": f"urn:doc{reference['$ref']}"}
    return jsonschema.Draft202012Validator(absolute, registry=registry)


class TestDocuments:
    """What the original answers, and what it should have answered."""

    @pytest.mark.parametrize("version", ["3.0", "3.1"])
    @pytest.mark.parametrize(
        "path",
        [
            "api_docs",
            "api_docs?expand_schema=true",
            "api_docs/shop",
            "api_docs/shop?expand_schema=1",
            "api_docs/system",
            "api_docs/user",
            "shop/_spec",
            "system/_spec",
            "user/_spec",
            "api_docs/_spec",
        ],
    )
    def test_they_are_valid(self, shop: Gateway, document: Document, path: str, version: str) -> None:
        path, _, query = path.partition("?")
        expand = {"expand_schema": "true"} if query else {}
        found = document(shop.admin, path, openapi=version, **expand)
        check(found, version)
        assert found["paths"]

    def test_the_frame(self, shop: Gateway, document: Document) -> None:
        found = document(shop.admin, "api_docs/shop")
        assert found["openapi"] == "3.0.0"
        assert found["servers"] == [{"url": "/api/v2/shop", "description": ""}]
        assert found["info"] == {"title": "shop", "description": "", "version": "2.0", "x-group": "Database"}
        assert list(found["components"]["securitySchemes"]) == [
            "BasicAuth", "BearerAuth", "ApiKeyQuery", "ApiKeyHeader", "SessionTokenQuery", "SessionTokenHeader",
        ]  # fmt: skip
        assert found["tags"] == [{"name": "shop", "description": ""}]
        get = found["paths"]["/_table/{table_name}"]["get"]
        assert get["tags"] == ["shop"]
        assert get["operationId"] == "getShopRecords"
        assert get["responses"]["default"] == {"$ref": "#/components/responses/Error"}
        whole = document(shop.admin, "api_docs")
        assert whole["servers"] == [{"url": "/api/v2", "description": ""}]
        assert {"/shop/_table", "/system/role/{id}", "/user/session", "/api_docs/{service_name}"} <= whole[
            "paths"
        ].keys()

    def test_tables_with_their_columns(self, shop: Gateway, document: Document) -> None:
        found = document(shop.admin, "api_docs/shop", expand_schema="true", openapi="3.1")
        assert {"/_table/book", "/_table/book/{id}", "/_table/shelf", "/_table/thick"} <= found["paths"].keys()
        schemas = found["components"]["schemas"]
        book = schemas["BookRecord"]["properties"]
        assert book["title"] == {"type": "string", "maxLength": 60, "description": book["title"]["description"]}
        assert book["pages"]["type"] == ["integer", "null"]
        assert book["price"]["type"] == ["number", "null"]
        assert book["in_print"]["type"] == ["boolean", "null"]
        assert book["heavy"]["readOnly"] is True
        assert "Refers to `shelf.id`." in book["shelf_id"]["description"]
        assert book["shelf_by_shelf_id"]["anyOf"] == [{"$ref": "#/components/schemas/ShelfRecord"}, {"type": "null"}]
        assert schemas["BookRecordInput"]["required"] == ["title"]
        assert "heavy" not in schemas["BookRecordInput"]["properties"]
        assert "required" not in schemas["BookRecordChange"]
        older = document(shop.admin, "api_docs/shop", expand_schema="true")["components"]["schemas"]["BookRecord"]
        assert older["properties"]["pages"] == {**book["pages"], "type": "integer", "nullable": True}

    def test_every_parameter_of_a_read_is_told(self, shop: Gateway, document: Document) -> None:
        found = document(shop.admin, "api_docs/shop")
        told = {
            found["components"]["parameters"][one["$ref"].rpartition("/")[2]]["name"]
            for one in found["paths"]["/_table/{table_name}"]["get"]["parameters"]
            if "$ref" in one
        }
        assert told >= {
            "fields", "filter", "limit", "offset", "order", "group", "related", "ids", "id_field", "id_type",
            "count_only", "include_count", "include_schema", "as_list", "refresh", "file", "wrap", "paging", "page",
        }  # fmt: skip

    def test_nobody_gets_a_document_with_nothing_in_it(self, shop: Gateway, document: Document) -> None:
        found = document(shop.anonymous, "api_docs")
        assert (found["paths"], found["tags"]) == ({}, [])
        assert document(shop.anonymous, "api_docs", as_list="true") == {"resource": []}

    def test_lists(self, shop: Gateway, document: Document) -> None:
        for word in ("as_list", "as_access_list"):
            found = document(shop.admin, "api_docs", **{word: "true"})
            assert found == {"resource": ["api_docs", "shop", "system", "user"]}

    def test_refusals(self, shop: Gateway) -> None:
        client = shop.key_for([{"service": "system", "component": "role", "verb_mask": 1}])

        def told(who: Any, path: str, status: int) -> str:
            reply = who.get(f"/api/v2/{path}")
            assert reply.status_code == status, reply.text
            return str(reply.json()["error"]["message"])

        words = "You do not have access to API Docs for the requested service shop."
        assert told(client, "api_docs/shop", 403) == words
        assert told(shop.anonymous, "api_docs/shop", 403) == words
        # Whether it is there or not is not told.
        assert told(client, "api_docs/none", 403) == words.replace("shop", "none")
        assert told(shop.admin, "api_docs/none", 404) == "Could not find a service for none"
        assert told(shop.admin, "api_docs/shop/more", 404) == "Resource 'more' not found for service 'api_docs'."
        assert "3.0 or 3.1" in told(shop.admin, "api_docs?openapi=2.0", 400)
        assert "json or yaml" in told(shop.admin, "api_docs?format=xml", 400)
        assert "Only administrators" in told(client, "api_docs?role=1", 403)
        assert "There is no role" in told(shop.admin, "api_docs?role=none", 404)
        nothing = shop.key_for([{"service": "shop", "component": "_table/none", "verb_mask": 2}])
        assert told(nothing, "api_docs/shop", 503) == "There are no defined API Docs for the requested service shop."
        assert shop.admin.post("/api/v2/api_docs").status_code == 400

    def test_the_service_stays(self, shop: Gateway) -> None:
        """D7."""
        record = shop.admin.get("/system/service/api_docs").json()
        assert (record["type"], record["deletable"]) == ("swagger", False)
        assert shop.admin.delete(f"/system/service/{record['id']}").status_code == 403

    def test_an_administrator_sees_what_a_role_sees(self, shop: Gateway, document: Document) -> None:
        rows = [{"service": "shop", "component": "_table/shelf", "verb_mask": 1}]
        role = shop.create_role(rows, name="shelves")
        key = shop.with_key(shop.create_app(role)["api_key"])
        for asked in (str(role), "shelves"):
            found = document(shop.admin, "api_docs/shop", role=asked)
            assert found == document(key, "api_docs/shop")
        assert {path: list(item) for path, item in found["paths"].items()} == {
            "/_schema": ["get"],
            "/_table/{table_name}": ["get"],
        }
        assert found["components"]["schemas"]["KnownName"]["enum"] == ["shelf"]

    def test_what_is_veiled_is_left_out(self, shop: Gateway, document: Document) -> None:
        """D33."""
        filters = [
            {"name": "price", "action": "exclude"},
            {"name": "title", "action": "mask", "value": "last4"},
            {"name": "pages", "action": "mask", "value": "null"},
        ]
        rows = [{"service": "shop", "component": "_table/book/*", "verb_mask": 31, "response_filters": filters}]
        client = shop.key_for(rows)
        found = document(client, "api_docs/shop", expand_schema="true", openapi="3.1")
        schemas = found["components"]["schemas"]
        book = schemas["BookRecord"]["properties"]
        assert "price" not in book
        assert "price" not in schemas["BookRecordInput"]["properties"]
        assert book["title"] == {"type": ["string", "null"], "description": "Masked (last4)."}
        assert book["pages"]["type"] == "null"
        # A relation to what cannot be read would be refused.
        assert "shelf_by_shelf_id" not in book
        assert "ShelfRecord" not in schemas
        content = client.get("/shop/_table/book").json()
        schema_in(found, {"$ref": "#/components/schemas/BookRecordList"}).validate(content)

    def test_filters_of_records_by_id_may_be_others(self, shop: Gateway, document: Document) -> None:
        rows = [
            {
                "service": "shop", "component": component, "verb_mask": 1,
                "response_filters": [{"name": name, "action": "exclude"}],
            }
            for component, name in (("_table/book", "price"), ("_table/book/*", "pages"))
        ]  # fmt: skip
        found = document(shop.key_for(rows), "api_docs/shop", expand_schema="true")["components"]["schemas"]
        assert "price" not in found["BookRecord"]["properties"]
        assert {"price", "pages"} - found["BookRecordById"]["properties"].keys() == {"pages"}

    def test_a_document_follows_what_it_tells_of(self, shop: Gateway, document: Document) -> None:
        client = shop.key_for([{"service": "shop", "component": "*", "verb_mask": 1}])
        assert "/_table/crate" not in document(client, "api_docs/shop", expand_schema="true")["paths"]
        field = [{"name": "id", "type": "id"}]
        made = shop.admin.post("/shop/_schema", json={"resource": [{"name": "crate", "field": field}]})
        assert made.status_code == 200
        assert "/_table/crate" in document(client, "api_docs/shop", expand_schema="true")["paths"]
        assert shop.admin.delete("/shop/_schema/crate").status_code == 200
        assert "/_table/crate" not in document(client, "api_docs/shop", expand_schema="true")["paths"]

    def test_refresh_looks_at_the_target_anew(
        self, shop: Gateway, document: Document, file: Any, reset: Callable[[], None]
    ) -> None:
        import sqlite3

        assert "/_table/elsewhere" not in document(shop.admin, "api_docs/shop", expand_schema="true")["paths"]
        with sqlite3.connect(file) as database:
            database.execute("create table elsewhere (id integer primary key)")
        database.close()
        assert (
            "/_table/elsewhere" in document(shop.admin, "api_docs/shop", expand_schema="true", refresh="true")["paths"]
        )

    def test_downloads_and_yaml(self, shop: Gateway) -> None:
        reply = shop.admin.get("/api/v2/api_docs/shop", params={"file": "../shop\r\n.json"})
        assert reply.headers["content-disposition"] == 'attachment; filename="_shop_.json"'
        reply = shop.admin.get("/api/v2/api_docs/shop", params={"format": "yaml", "file": "true"})
        assert reply.headers["content-type"].startswith("application/yaml")
        assert reply.headers["content-disposition"] == 'attachment; filename="shop.yaml"'
        assert reply.text.startswith("openapi: 3.0.0\n")
        assert "&id" not in reply.text

    def test_a_target_that_is_away_hides_nothing_else(self, shop: Gateway, document: Document) -> None:
        shop.create_service("lost", "sqlite", {"database": "/proc/nowhere/none.db"})
        found = document(shop.admin, "api_docs", expand_schema="true")
        assert "/lost/_table/{table_name}" in found["paths"]
        assert "/shop/_table/book" in found["paths"]


class Crates(Resource):
    name = "crate"

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List the crates."""
        return {"resource": []}

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Pack a crate."""
        return call.body


class Warehouse(Service):
    label = "Warehouse"
    resources = (Crates,)


class TestOthers:
    """Types that say nothing of themselves."""

    def test_their_resources_are_told(self, fresh_gateway: Gateway, document: Document) -> None:
        fresh_gateway.app.registry.add("warehouse", Warehouse)
        fresh_gateway.create_service("stock", "warehouse")
        for version in VALIDATORS:
            found = document(fresh_gateway.admin, "api_docs/stock", openapi=version)
            check(found, version)
        assert found["paths"]["/crate"]["post"]["summary"] == "Pack a crate."
        assert list(found["paths"]) == ["/", "/crate"]

    def test_every_stored_record_is_as_its_schema_says(self, fresh_gateway: Gateway, document: Document) -> None:
        """Also secrets and lists that columns keep as text."""
        fresh_gateway.create_user("ann@example.com", "a long enough password", first_name="Ann")
        role = fresh_gateway.create_role(
            [
                {
                    "service": "user",
                    "component": "*",
                    "verb_mask": 1,
                    "filters": [{"name": "a", "operator": "=", "value": 1}],
                }
            ]
        )
        fresh_gateway.create_app(role)
        bodies = {
            "lookup": {"name": "motto", "value": "on"},
            "cors": {"path": "*", "origin": "https://example.com", "method": ["GET"]},
            "custom": {"name": "colour", "value": {"a": [1]}},
            "email_template": {"name": "mine", "subject": "x", "defaults": {"a": 1}},
        }
        for name, body in bodies.items():
            made = fresh_gateway.admin.post(f"/system/{name}", json={"resource": [body]})
            assert made.status_code in (200, 201), made.text
        found = document(fresh_gateway.admin, "system/_spec", openapi="3.1")
        seen = set()
        for path, item in found["paths"].items():
            response = item.get("get", {}).get("responses", {}).get("200", {}).get("$ref", "")
            if "{" in path or not response or path in ("/admin/session", "/"):
                continue
            schema = found["components"]["responses"][response.rpartition("/")[2]]["content"]["application/json"][
                "schema"
            ]
            strict = next((one for one in schema.get("anyOf", []) if one.get("$ref", "").endswith("List")), None)
            reply = fresh_gateway.admin.get(f"/system{path}", params={"related": "*"} if strict else {})
            assert reply.status_code == 200, (path, reply.text)
            reference = {
                "$ref": f"#/components/responses/{response.rpartition('/')[2]}/content/application~1json/schema"
            }
            schema_in(found, strict or reference).validate(reply.json())
            seen.add(path)
        assert {"/role", "/user", "/app", "/service", "/lookup", "/cors", "/custom", "/email_template"} <= seen

    def test_configurations_are_schemas(self, fresh_gateway: Gateway, document: Document) -> None:
        schemas = document(fresh_gateway.admin, "api_docs/system", openapi="3.1")["components"]["schemas"]
        assert schemas["SqliteConfig"]["properties"]["max_records"]["title"] == "Maximum Records"
        assert {"$ref": "#/components/schemas/SqliteConfig"} in schemas["ServiceInput"]["properties"]["config"]["anyOf"]
