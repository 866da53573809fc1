"""Documents that operators store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from trunkline import json
from trunkline.db.records import ServiceRecord
from trunkline.testing import Gateway
from trunkline_apidocs.stored import read

Document = Callable[..., dict[str, Any]]
OPENAPI = {
    "openapi": "3.0.0",
    "paths": {
        "/shop/parcel/{id}": {
            "get": {"summary": "One of {service.names}", "responses": {"200": {"description": "{service.label}"}}},
            "delete": {"summary": "Gone", "responses": {"200": {"$ref": "#/components/responses/Done"}}},
        },
        "/": {"get": {"operationId": "get{service.Name}", "responses": {"200": {"description": "Root"}}}},
    },
    "components": {"responses": {"Done": {"description": "Done"}}},
}
SWAGGER = """
swagger: '2.0'
consumes: [application/json]
produces: [application/json, text/csv]
parameters:
  Parcel: {name: parcel, in: body, required: true, schema: {$ref: '#/definitions/Parcel'}}
  Most: {name: most, in: query, type: integer, maximum: 100}
responses:
  Gone: {description: Gone, headers: {X-When: {type: string}}}
paths:
  /{service.name}/parcel:
    parameters: [{$ref: '#/parameters/Most'}]
    get:
      parameters: [{name: tags, in: query, type: array, items: {type: string}, collectionFormat: multi}]
      responses: {200: {description: All, schema: {type: array, items: {$ref: '#/definitions/Parcel'}}}}
    post:
      parameters: [{$ref: '#/parameters/Parcel'}]
      responses: {201: {description: Made}, 410: {$ref: '#/responses/Gone'}}
  /parcel/{id}/photo:
    put:
      consumes: [multipart/form-data]
      parameters:
        - {name: id, in: path, type: integer, required: true}
        - {name: photo, in: formData, type: file, required: true}
      responses: {default: {description: Kept}}
definitions:
  Parcel: {type: object, properties: {weight: {type: number}, sent: {type: string, example: 2024-01-02}}}
"""


def store(gateway: Gateway, content: Any, form: int = 0) -> None:
    record = gateway.admin.get("/system/service/shop").json()
    text = content if isinstance(content, str) else json.dumps(content).decode()
    body = {"service_doc_by_service_id": {"content": text, "format": form}}
    reply = gateway.admin.patch(f"/system/service/{record['id']}", json=body)
    assert reply.status_code == 200, reply.text


class TestStoredDocuments:
    """They replace what would be made, and are narrowed like it."""

    def test_openapi(self, shop: Gateway, document: Document) -> None:
        store(shop, OPENAPI)
        found = document(shop.admin, "api_docs/shop")
        assert list(OpenAPIV30SpecValidator(found).iter_errors()) == []
        assert set(found["paths"]) == {"/parcel/{id}", "/"}
        get = found["paths"]["/parcel/{id}"]["get"]
        assert (get["summary"], get["tags"]) == ("One of shops", ["shop"])
        assert get["responses"]["200"]["description"] == "shop"
        assert get["responses"]["default"] == {"$ref": "#/components/responses/Error"}
        assert found["paths"]["/"]["get"]["operationId"] == "getShop"
        whole = document(shop.admin, "api_docs", openapi="3.1")
        assert {"/shop/parcel/{id}", "/shop"} <= whole["paths"].keys()
        client = shop.key_for([{"service": "shop", "component": "parcel/*", "verb_mask": 1}])
        assert {path: set(item) for path, item in document(client, "api_docs/shop")["paths"].items()} == {
            "/parcel/{id}": {"get", "parameters"}
        }
        store(shop, "")
        assert "/_table" in document(shop.admin, "api_docs/shop")["paths"]

    def test_swagger_2_in_yaml(self, shop: Gateway, document: Document) -> None:
        store(shop, SWAGGER, 1)
        for version, validator in (("3.0", OpenAPIV30SpecValidator), ("3.1", OpenAPIV31SpecValidator)):
            found = document(shop.admin, "api_docs/shop", openapi=version)
            assert list(validator(found).iter_errors()) == []
        assert set(found["paths"]) == {"/parcel", "/parcel/{id}/photo"}
        get, post = found["paths"]["/parcel"]["get"], found["paths"]["/parcel"]["post"]
        assert {"$ref": "#/components/parameters/Most"} in get["parameters"]
        assert next(one for one in get["parameters"] if one.get("name") == "tags")["explode"] is True
        assert set(get["responses"]["200"]["content"]) == {"application/json", "text/csv"}
        assert post["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Parcel"}
        photo = found["paths"]["/parcel/{id}/photo"]["put"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert photo["properties"]["photo"]["format"] == "binary"
        assert found["components"]["schemas"]["Parcel"]["properties"]["sent"]["example"] == "2024-01-02"
        store(shop, "")

    def test_two_services_may_use_a_name_differently(self, shop: Gateway, document: Document) -> None:
        mine = {
            "openapi": "3.0.0",
            "paths": {
                "/a": {"get": {"responses": {"200": {"description": "x", "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Role"}}}}}}},
            },
            "components": {"schemas": {"Role": {"type": "string", "title": "mine"}}},
        }  # fmt: skip
        store(shop, mine)
        found = document(shop.admin, "api_docs", openapi="3.1")
        schema = found["paths"]["/shop/a"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        named = found["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert named["title"] == "mine"
        assert list(OpenAPIV31SpecValidator(found).iter_errors()) == []
        assert "properties" in found["components"]["schemas"]["SystemRole"]
        reply = found["paths"]["/system/role/{id}"]["get"]["responses"]["200"]["$ref"].rpartition("/")[2]
        content = found["components"]["responses"][reply]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/SystemRole"}
        store(shop, "")

    @pytest.mark.parametrize(
        ("text", "form"),
        [("{", 0), ("[1]", 0), ("a: [", 1), ("a: &x [1]\nb: *x", 1), ("!!python/object/apply:os.getcwd []", 1)],
    )
    def test_what_can_not_be_read(self, shop: Gateway, text: str, form: int) -> None:
        store(shop, text, form)
        reply = shop.admin.get("/api/v2/api_docs/shop")
        assert reply.status_code == 503
        assert reply.json()["error"]["message"] == "The API Docs stored for service shop can not be read."
        # The others are told nevertheless.
        assert "/user/session" in shop.admin.get("/api/v2/api_docs").json()["paths"]
        store(shop, "")


def test_placeholders_can_not_become_structure() -> None:
    record = ServiceRecord(7, "it", 'a"}, "b": {"', "", "rws", True, "{}")
    text = json.dumps({"paths": {"/x": {"get": {"summary": "{service.label}", "responses": {}}}}}).decode()
    found = read(text, record, is_yaml=False)
    assert found is not None
    assert found["paths"]["/x"]["get"]["summary"] == 'a"}, "b": {"'
