"""Pages of other origins: rules, preflights, marks on replies (system-api 7.8 and 22, D3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asking import create, fields_refused

from trunkline.testing import Client, Gateway

HOME = "https://shop.example.com"
MARKS = ("access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers")
PREFLIGHT = ("access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers",
             "access-control-max-age", "access-control-allow-credentials")  # fmt: skip


@pytest.fixture
def rules(admin: Client) -> Iterator[Client]:
    yield admin
    admin.delete("/system/cors", params={"force": "true"})


def made_rule(client: Client, **rule: Any) -> dict[str, Any]:
    return create(client, "/system/cors", rule)[0]


def preflight(client: Client, path: str = "/db/_table", origin: str = HOME, method: str = "GET", **more: str) -> Any:
    headers = {"Origin": origin, "Access-Control-Request-Method": method, **more}
    reply = client.request("OPTIONS", path, headers=headers)
    assert reply.status_code == 204
    assert reply.content == b""
    return {name: reply.headers[name] for name in PREFLIGHT if name in reply.headers}


def marks(client: Client, path: str = "/system/environment", origin: str | None = HOME) -> Any:
    reply = client.get(path, headers={"Origin": origin} if origin else {})
    return {name: reply.headers[name] for name in MARKS if name in reply.headers}


class TestRules:
    def test_a_rule_has_its_defaults_and_shows_verbs(self, rules: Client) -> None:
        made = made_rule(rules, path="*", origin="*", method=["GET", "post", "OPTIONS"])
        assert made["method"] == ["GET", "POST", "OPTIONS"]
        shown = {name: made[name] for name in ("enabled", "max_age", "supports_credentials", "header")}
        assert shown == {"enabled": True, "max_age": 0, "supports_credentials": False, "header": None}
        assert made_rule(rules, path="api/*", origin="*", method=31)["method"] == [
            "GET", "POST", "PUT", "PATCH", "DELETE",
        ]  # fmt: skip
        assert rules.get("/system/cors", params={"count_only": "true"}).json() == 2

    @pytest.mark.parametrize(
        ("record", "field"),
        [
            ({"origin": "*"}, "path"), ({"path": "x"}, "origin"), ({"path": "^(", "origin": "*"}, "path"),
            ({"path": "x", "origin": "*", "method": ["FETCH"]}, "method"),
            ({"path": "x", "origin": "https://a.b/\r\nX: y"}, "origin"),
            ({"path": "x", "origin": "*", "exposed_header": "a\r\nb"}, "exposed_header"),
            ({"path": "x", "origin": "*", "max_age": -1}, "max_age"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_a_rule_is_refused(self, rules: Client, record: dict[str, Any], field: str) -> None:
        fields_refused(rules.post("/system/cors", json={"resource": [record]}), field)


class TestRequests:
    def test_nothing_is_granted_without_a_rule(self, rules: Client) -> None:
        assert preflight(rules) == {}
        assert marks(rules) == {}

    def test_a_granted_origin_gets_what_its_rule_says(self, rules: Client, gateway: Gateway) -> None:
        made_rule(
            rules, path="api/*", origin=f"{HOME}, https://*.example.org", method=["GET", "POST"], max_age=600,
            header="X-DreamFactory-Api-Key", exposed_header="X-Request-Id", supports_credentials=True,
        )  # fmt: skip
        assert preflight(gateway.anonymous) == {
            "access-control-allow-origin": HOME,
            "access-control-allow-methods": "GET, POST",
            "access-control-allow-headers": "X-DreamFactory-Api-Key",
            "access-control-max-age": "600",
            "access-control-allow-credentials": "true",
        }
        assert marks(gateway.anonymous) == {
            "access-control-allow-origin": HOME,
            "access-control-allow-credentials": "true",
            "access-control-expose-headers": "X-Request-Id",
        }
        assert marks(rules, origin="https://a.example.org")["access-control-allow-origin"] == "https://a.example.org"
        for stranger in (
            "https://evil.example.com",
            "https://example.org.evil.net",
            "null",
            f"{HOME}.evil.net",
            "http:",
        ):
            assert preflight(rules, origin=stranger) == {}, stranger
            assert marks(rules, origin=stranger) == {}, stranger
        assert marks(rules, origin=None) == {}

    def test_errors_are_marked_too(self, rules: Client, gateway: Gateway) -> None:
        made_rule(rules, path="*", origin="*", method=31)
        reply = gateway.anonymous.get("/db/_table", headers={"Origin": HOME})
        assert reply.status_code == 400
        assert reply.headers["access-control-allow-origin"] == "*"

    def test_an_asterisk_lets_any_header_through(self, rules: Client) -> None:
        made_rule(rules, path="*", origin="*", method=31, header="*")
        asked = {"Access-Control-Request-Headers": "x-one, x-two"}
        assert preflight(rules, **asked)["access-control-allow-headers"] == "x-one, x-two"

    def test_the_longest_path_wins_and_what_is_off_does_not_count(self, rules: Client) -> None:
        made_rule(rules, path="*", origin="*", method=1)
        made_rule(rules, path="api/v2/db/*", origin=HOME, method=3)
        off = made_rule(rules, path="api/v2/db/_table/*", origin="https://x.y", method=7)
        rules.patch(f"/system/cors/{off['id']}", json={"enabled": False})
        assert preflight(rules, "/db/_table/x")["access-control-allow-methods"] == "GET, POST"
        assert preflight(rules, "/db/_table/x", origin="https://x.y") == {}
        assert preflight(rules, "/other")["access-control-allow-methods"] == "GET"
        rules.patch(f"/system/cors/{off['id']}", json={"enabled": True})
        assert (
            preflight(rules, "/db/_table/x", origin="https://x.y")["access-control-allow-methods"] == "GET, POST, PUT"
        )

    def test_a_path_may_be_a_regular_expression(self, rules: Client) -> None:
        made_rule(rules, path="^/API/v2/(a|b)/", origin="*", method=1)
        assert preflight(rules, "/a/x") != {}
        assert preflight(rules, "/c/x") == {}
        assert preflight(rules, "/c/api/v2/a/") == {}

    def test_options_without_cors_headers_says_what_there_is(self, gateway: Gateway) -> None:
        """D4."""
        reply = gateway.anonymous.request("OPTIONS", "/db/_table")
        assert reply.status_code == 204
        assert "PATCH" in reply.headers["allow"]
