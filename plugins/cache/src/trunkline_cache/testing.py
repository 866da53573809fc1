"""What every cache service promises; subclass the suite with ``service_type`` and a ``config`` fixture."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from trunkline.testing import Gateway, ServiceSuite

__all__ = ["CacheSuite", "message"]

_VALUES = [
    {"a": [1, {"b": None}]}, [], {}, [1, "x"], "text", "", "0", 0, 7, -1.5, True, False, None, "ü ☂ 💧", "a\nb\0c",
    2**63,
]  # fmt: skip


def message(reply: httpx2.Response, status: int) -> str:
    """Check an error reply and answer what it says."""
    assert reply.status_code == status, reply.text
    return str(reply.json()["error"]["message"])


class CacheSuite(ServiceSuite):
    """Checks keys, values and lifetimes."""

    @pytest.fixture
    def key(self, service: str) -> str:
        """A path below ``/api/v2`` whose key nobody has used."""
        return f"/{service}/{secrets.token_hex(6)}"

    @pytest.fixture
    def keys(self, service: str) -> Callable[[], str]:
        """Make keys that nobody has used."""
        numbers, mark = itertools.count(), secrets.token_hex(6)
        return lambda: f"{mark}{next(numbers)}"

    @pytest.mark.parametrize("value", _VALUES, ids=repr)
    def test_any_json_comes_back(self, gateway: Gateway, key: str, value: Any) -> None:
        name = key.rpartition("/")[2]
        stored = gateway.admin.put(key, json=value) if value is not None else _put_null(gateway, key)
        assert (stored.status_code, stored.json()) == (200, {name: value}), stored.text
        read = gateway.admin.get(key)
        assert (read.status_code, read.json()) == (200, value)
        assert read.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("text", ["text", "0", '{"a": 1}', "ü ☂", "a\nb", " x "])
    def test_text_comes_back_as_text(self, gateway: Gateway, key: str, text: str) -> None:
        name = key.rpartition("/")[2]
        stored = gateway.admin.put(key, content=text.encode(), headers={"Content-Type": "text/plain"})
        assert (stored.status_code, stored.json()) == (200, {name: text})
        read = gateway.admin.get(key)
        assert (read.status_code, read.text) == (200, text)
        assert read.headers["content-type"].startswith("text/plain")

    def test_a_key_that_is_not_there(self, gateway: Gateway, key: str) -> None:
        name = key.rpartition("/")[2]
        assert message(gateway.admin.get(key), 404) == f"No value found for key '{name}'."
        assert gateway.admin.get(key, params={"default": "x"}).text == "x"
        assert gateway.admin.delete(key).json() == {"success": False}
        gateway.admin.put(key, json=1)
        assert gateway.admin.get(key, params={"default": "x"}).json() == 1
        assert gateway.admin.delete(key).json() == {"success": True}
        assert gateway.admin.get(key).status_code == 404

    def test_a_key_is_needed(self, gateway: Gateway, service: str) -> None:
        said = "No key/resource provide. Please provide a cache key to {}."
        assert message(gateway.admin.get(f"/{service}"), 400) == said.format("retrieve")
        assert message(gateway.admin.delete(f"/{service}"), 400) == said.format("delete")
        assert gateway.admin.get(f"/{service}", params={"as_access_list": "true"}).json() == {"resource": ["", "*"]}

    @pytest.mark.parametrize("option", ["clear", "pull"])
    def test_a_value_is_read_and_removed(self, gateway: Gateway, key: str, option: str) -> None:
        gateway.admin.put(key, json={"a": 1})
        assert gateway.admin.get(key, params={option: "true"}).json() == {"a": 1}
        assert gateway.admin.get(key, params={option: "true"}).status_code == 404

    def test_one_of_many_gets_what_is_removed(self, gateway: Gateway, key: str) -> None:
        gateway.admin.put(key, json={"a": 1})
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _n: gateway.admin.get(key, params={"pull": "1"}).status_code, range(24)))
        assert sorted(replies)[:2] == [200, 404]

    def test_post_creates(self, gateway: Gateway, key: str) -> None:
        name = key.rpartition("/")[2]
        reply = gateway.admin.post(key, json={"a": 1})
        assert (reply.status_code, reply.json()) == (201, {name: {"a": 1}})
        said = f"Key '{name}' already exists in cache. Use PUT to update existing key."
        assert message(gateway.admin.post(key, json={"a": 2}), 400) == said
        assert gateway.admin.get(key).json() == {"a": 1}
        for method in ("PUT", "PATCH"):
            reply = gateway.admin.request(method, key, json=[method])
            assert (reply.status_code, reply.json()) == (200, {name: [method]})
            assert gateway.admin.get(key).json() == [method]

    def test_one_of_many_creates(self, gateway: Gateway, key: str) -> None:
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda n: gateway.admin.post(key, json=[n]).status_code, range(24)))
        assert sorted(replies)[:2] == [201, 400]

    def test_several_at_once(self, gateway: Gateway, service: str, keys: Callable[[], str]) -> None:
        first, second, third = keys(), keys(), keys()
        reply = gateway.admin.post(f"/{service}", json={first: 1, second: {"b": "x"}})
        assert (reply.status_code, reply.json()) == (201, {"success": True})
        said = f"Nothing was stored in cache. One or more key(s) already exists ({second})"
        assert message(gateway.admin.post(f"/{service}", json={third: 3, second: 4}), 400) == said
        assert gateway.admin.get(f"/{service}/{third}").status_code == 404
        for method in ("PUT", "PATCH"):
            reply = gateway.admin.request(method, f"/{service}", json={first: method, third: None, "forever": False})
            assert (reply.status_code, reply.json()) == (200, {"success": True})
        assert [gateway.admin.get(f"/{service}/{one}").json() for one in (first, second, third)] == [
            "PATCH", {"b": "x"}, None,
        ]  # fmt: skip

    def test_what_can_not_be_stored(self, gateway: Gateway, service: str, key: str) -> None:
        said = "No value/payload provided to store in cache."
        for method in ("POST", "PUT", "PATCH"):
            for path in (key, f"/{service}"):
                assert message(gateway.admin.request(method, path), 400) == said
            bodies: list[Any] = [[1], "x", 1, {}]
            for body in bodies:
                assert message(gateway.admin.request(method, f"/{service}", json=body), 400) == said
            assert "not empty" in message(gateway.admin.request(method, f"/{service}", json={"": 1}), 400)
            for ttl in ("0", "-1", "x", "1.5", "1e3", "", "99999999999999", "999999999"):
                told = message(gateway.admin.request(method, key, json=1, params={"ttl": ttl}), 400)
                assert told.startswith("The ttl must be a whole number of seconds")
        assert gateway.admin.get(key).status_code == 404

    def test_values_end(self, gateway: Gateway, service: str, keys: Callable[[], str]) -> None:
        """Lifetimes are seconds (connectors 6.3)."""
        short, long, ever, several = keys(), keys(), keys(), keys()
        path = f"/{service}"
        assert gateway.admin.put(f"{path}/{short}", json=1, params={"ttl": 1}).status_code == 200
        assert gateway.admin.post(path, json={several: 1}, params={"ttl": "1"}).status_code == 201
        # More than a month is where memcached takes it for a date.
        assert gateway.admin.put(f"{path}/{long}", json=2, params={"ttl": 40 * 86400}).status_code == 200
        assert gateway.admin.put(f"{path}/{ever}", json=3, params={"forever": "true", "ttl": 1}).status_code == 200
        assert [gateway.admin.get(f"{path}/{one}").json() for one in (short, several, long, ever)] == [1, 1, 2, 3]
        time.sleep(1.05)
        found = [gateway.admin.get(f"{path}/{one}").status_code for one in (short, several, long, ever)]
        assert found == [404, 404, 200, 200]
        assert gateway.admin.delete(f"{path}/{short}").json() == {"success": False}
        assert gateway.admin.post(f"{path}/{several}", json=1).status_code == 201

    def test_a_service_has_a_lifetime_of_its_own(
        self, gateway: Gateway, service: str, config: dict[str, Any], keys: Callable[[], str]
    ) -> None:
        """Services of one store see each other's values (connectors 6.1)."""
        gateway.create_service(f"{service}_short", self.service_type, {**config, "default_ttl": 1})
        short, long = keys(), keys()
        gateway.admin.put(f"/{service}_short/{short}", json=1)
        gateway.admin.put(f"/{service}/{long}", json=2)
        assert [gateway.admin.get(f"/{service}/{one}").json() for one in (short, long)] == [1, 2]
        time.sleep(1.05)
        assert gateway.admin.get(f"/{service}/{short}").status_code == 404
        assert gateway.admin.get(f"/{service}_short/{long}").json() == 2

    @pytest.mark.parametrize("name", ["a/b", "a.b", "a b", "A", "ü☂", "x:*?[y]", "k" * 249, "n" * 2000, "%25", "a/b/c"])
    def test_keys_of_any_kind_are_apart(
        self, gateway: Gateway, service: str, keys: Callable[[], str], name: str
    ) -> None:
        from urllib.parse import quote

        mark = keys()
        key, other = f"{mark}{name}", f"{mark}{name}".swapcase()
        reply = gateway.admin.put(f"/{service}/{quote(key)}", json=[name])
        assert reply.json() == {key: [name]}
        assert gateway.admin.get(f"/{service}/{quote(key)}").json() == [name]
        if other != key:
            assert gateway.admin.get(f"/{service}/{quote(other)}").status_code == 404
        assert gateway.admin.get(f"/{service}/{quote(key)}x").status_code == 404
        stored = gateway.admin.put(f"/{service}", json={key: "by the map"})
        assert stored.status_code == 200
        assert gateway.admin.get(f"/{service}/{quote(key)}").json() == "by the map"
        assert gateway.admin.delete(f"/{service}/{quote(key)}").json() == {"success": True}

    def test_large_values(self, gateway: Gateway, key: str) -> None:
        assert gateway.admin.put(key, json="x" * 900_000).status_code == 200
        assert gateway.admin.get(key).json() == "x" * 900_000

    def test_a_role_reaches_the_keys_that_it_names(
        self, gateway: Gateway, service: str, keys: Callable[[], str]
    ) -> None:
        """Checklist 9: also those that a body names, and those with brackets, which paths of roles leave out."""
        mark = keys()
        client = gateway.key_for(
            [
                {"service": service, "component": "", "verb_mask": 31},
                {"service": service, "component": f"{mark}/*", "verb_mask": 1 | 4},
            ]
        )
        assert client.put(f"/{service}/{mark}/a", json=1).status_code == 200
        assert client.get(f"/{service}/{mark}/a").json() == 1
        assert client.get(f"/{service}/{mark}c").status_code == 401
        assert client.delete(f"/{service}/{mark}/a").status_code == 401
        assert client.put(f"/{service}", json={f"{mark}/b": 2}).status_code == 200
        assert client.put(f"/{service}", json={f"{mark}/b": 3, f"{mark}c": 3}).status_code == 403
        assert client.post(f"/{service}", json={f"{mark}/d": 3}).status_code == 403
        assert client.get(f"/{service}/{mark}/b").json() == 2
        gateway.admin.put(f"/{service}/({mark})", json="hidden")
        assert client.get(f"/{service}/({mark})").status_code == 403
        assert gateway.admin.get(f"/{service}/({mark})").json() == "hidden"

    def test_the_document_tells_of_the_calls(self, gateway: Gateway, service: str) -> None:
        document = gateway.admin.get(f"/{service}/_spec").json()
        assert {"/", "/{key_path}"} == set(document["paths"]), list(document["paths"])


def _put_null(gateway: Gateway, key: str) -> httpx2.Response:
    return gateway.admin.put(key, content=b"null", headers={"Content-Type": "application/json"})
