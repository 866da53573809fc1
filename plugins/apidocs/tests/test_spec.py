"""``_spec`` below every service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from trunkline.call import Call
from trunkline.service import Service
from trunkline.testing import Gateway

Document = Callable[..., dict[str, Any]]


class Everything(Service):
    """A type whose paths are no resources."""

    label = "Everything"

    async def handle(self, call: Call) -> Any:
        return {"path": list(call.path)}


class TestSpec:
    """Whole, short, and as a model of the data."""

    def test_the_frame(self, shop: Gateway, document: Document) -> None:
        found = document(shop.admin, "shop/_spec")
        assert list(found["components"]["securitySchemes"]) == ["ApiKeyHeader", "SessionTokenHeader"]
        assert found["servers"] == [{"url": "/api/v2/shop", "description": ""}]
        assert found["x-dreamfactory-usage"]["pagination"]
        assert {"book", "shelf", "thick"} <= set(found["x-dreamfactory-resources"])
        (relation,) = found["x-dreamfactory-relationships"]["book"]
        assert relation["usage"] == "related=shelf_by_shelf_id"
        responses = found["paths"]["/_table/book"]["get"]["responses"]
        assert {"200", "400", "401", "403", "404", "default"} <= responses.keys()
        example = found["components"]["responses"]["NotFound"]["content"]["application/json"]["example"]
        assert example["error"]["status_code"] == 404
        reply = shop.admin.get("/shop/_spec", params={"wrap": "true"})
        assert reply.headers["cache-control"] == "no-store"
        assert reply.text.startswith('{\n  "openapi": "3.0.0"')

    def test_it_takes_the_right_to_read_it(self, shop: Gateway) -> None:
        rows = [{"service": "shop", "component": "_table/*", "verb_mask": 31}]
        assert shop.key_for(rows).get("/shop/_spec").status_code == 401
        client = shop.key_for([*rows, {"service": "shop", "component": "_spec", "verb_mask": 1}])
        assert set(client.get("/shop/_spec").json()["paths"]) >= {"/_table/book", "/_table/book/{id}"}
        assert client.get("/shop/_spec/more").status_code in (401, 403, 404)
        assert shop.admin.get("/shop/_spec/more").status_code == 404

    def test_short(self, shop: Gateway, document: Document) -> None:
        found = document(shop.admin, "shop/_spec", compact="true")
        assert "components" not in found
        assert found["endpoint_count"] == len(found["endpoints"])
        read = next(one for one in found["endpoints"] if (one["path"], one["method"]) == ("/_table/book", "GET"))
        assert "limit (query, integer)" in read["parameters"]
        assert read["has_request_body"] is False

    def test_of_one_table(self, shop: Gateway, document: Document) -> None:
        found = document(shop.admin, "shop/_spec", resource_name="shelf")
        assert set(found["paths"]) == {"/_table/shelf", "/_table/shelf/{id}"}
        assert "ShelfRecord" in found["components"]["schemas"]
        assert "ThickRecord" not in found["components"]["schemas"]

    def test_with_more_on_tables(self, shop: Gateway, document: Document) -> None:
        found = document(shop.admin, "shop/_spec", tables="true")["x-dreamfactory-resources"]
        shelf = next(one for one in found if one["name"] == "shelf")
        assert (shelf["primary_key"], shelf["is_view"]) == (["id"], False)
        assert {"id", "code", "room"} <= set(shelf["fields"])

    def test_yaml(self, shop: Gateway, document: Document) -> None:
        for reply in (
            shop.admin.get("/shop/_spec", params={"format": "yaml"}),
            shop.admin.get("/shop/_spec", headers={"Accept": "application/yaml"}),
        ):
            assert reply.headers["content-type"].startswith("application/yaml")
            assert yaml.safe_load(reply.text) == document(shop.admin, "shop/_spec")

    def test_the_model_of_the_data(self, shop: Gateway, document: Document) -> None:
        found = document(shop.admin, "shop/_spec", model="true")
        book = found["tables"]["book"]
        assert book["columns"][0] == {"name": "id", "type": "id", "pk": True, "required": True}
        assert {"name": "shelf_id", "type": "reference", "fk": "shelf.id"} in book["columns"]
        assert (book["row_count"], len(book["sample_data"])) == (3, 3)
        assert book["enum_values"] == {"title": ["Dune", "Emma", "Ulysses"]}
        assert found["relationships"]["book"][0]["ref_table"] == "shelf"
        assert "/_table/book?related=shelf_by_shelf_id&limit=10" in found["query_templates"]
        short = document(shop.admin, "shop/_spec", model="true", stock="true")
        assert set(short) == {"service", "description", "tables", "relationships"}
        assert set(short["tables"]["book"]) == {"columns"}
        assert "is no database" in document(shop.admin, "user/_spec", model="true")["error"]

    def test_samples_are_what_the_caller_would_get(self, shop: Gateway, document: Document) -> None:
        """D5 and D33, also for an administrator who looks at a role."""
        rows = [
            {"service": "shop", "component": "_spec", "verb_mask": 1},
            {
                "service": "shop", "component": "_table/book/*", "verb_mask": 1,
                "filters": [{"name": "pages", "operator": "<", "value": 400}],
                "response_filters": [
                    {"name": "price", "action": "exclude"}, {"name": "title", "action": "mask", "value": "null"},
                ],
            },
        ]  # fmt: skip
        role = shop.create_role(rows)
        key = shop.with_key(shop.create_app(role)["api_key"])
        for found in (
            document(key, "shop/_spec", model="true"),
            document(shop.admin, "shop/_spec", model="true", role=role),
        ):
            assert set(found["tables"]) == {"book"}
            book = found["tables"]["book"]
            assert book["row_count"] == 1
            (sample,) = book["sample_data"]
            assert (sample["pages"], sample["title"], "price" in sample) == (320, None, False)
            assert book["enum_values"] == {}
            assert found["relationships"] == {}

    def test_it_comes_before_what_the_service_does(self, fresh_gateway: Gateway) -> None:
        fresh_gateway.app.registry.add("everything", Everything)
        fresh_gateway.create_service("all", "everything")
        assert fresh_gateway.admin.get("/all/a/b").json() == {"path": ["a", "b"]}
        assert fresh_gateway.admin.get("/all/_spec").json()["openapi"] == "3.0.0"
        assert fresh_gateway.admin.get("/all/_SPEC").json()["openapi"] == "3.0.0"
