"""The service type itself: its settings, and how it answers over REST when there is no database to answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from trunkline.testing import Gateway, ServiceSuite
from trunkline_oracle import Oracle, OracleConfig
from trunkline_oracle.driver import OracleDriver

HERE = {"host": "127.0.0.1", "database": "XE", "username": "shop", "password": "s3cret"}
DESCRIPTOR = "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=db.example)(PORT=1521))(CONNECT_DATA=(SERVICE_NAME=shop)))"
REFUSED = b"(DESCRIPTION=(TMP=)(VSNNUM=0)(ERR=12514)(ERROR_STACK=(ERROR=(CODE=12514)(EMFI=4))))"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """Listen as a TNS listener does, and answer what is asked first; None is to say nothing at all."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await reader.read(4096)
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
            writer.close()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)

    async def stop() -> None:
        server.close()
        rest = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        if rest:
            await asyncio.wait(rest, timeout=5)

    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def packet(kind: int, body: bytes) -> bytes:
    """Write a packet of TNS as listeners of old do."""
    return (len(body) + 8).to_bytes(2, "big") + b"\0\0" + bytes([kind]) + b"\0\0\0" + body


class TestOracle(ServiceSuite):
    service_type = "oracle"

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        return {**HERE, "port": free_port()}

    def test_its_fields_are_those_of_the_original(self, gateway: Gateway) -> None:
        """connectors 14.10 and the tails of 2.6, in their order."""
        entries = {one["name"]: one for one in gateway.app.registry.load("oracle").config_class().schema_entries()}
        assert set(entries) == {
            "host", "port", "database", "username", "password", "schema", "service_name", "tns", "protocol", "charset",
            "treat_number_as_decimal", "options", "attributes", "statements", "allow_upsert", "max_records",
            "cache_enabled", "cache_ttl",
        }  # fmt: skip
        assert {one["type"] for name, one in entries.items() if name in ("service_name", "tns", "charset")} == {
            "string"
        }
        assert (entries["port"]["type"], entries["password"]["type"]) == ("integer", "password")
        assert entries["treat_number_as_decimal"]["type"] == "boolean"


def told(**config: Any) -> dict[str, Any]:
    """Answer what the driver is told for a configuration."""
    service = Oracle.__new__(Oracle)
    service.config = OracleConfig(**config)
    driver = service.open_driver()
    assert isinstance(driver, OracleDriver)
    return dict(driver._settings.connect)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (HERE, {"host": "127.0.0.1", "port": 1521, "protocol": "tcp", "sid": "XE"}),
        (HERE, {"user": "shop", "password": "s3cret"}),
        ({"host": "h", "service_name": "s", "port": 1522}, {"service_name": "s", "port": 1522, "user": None}),
        ({**HERE, "service_name": "s"}, {"sid": "XE"}),
        ({**HERE, "protocol": "TCPS"}, {"protocol": "tcps"}),
        ({**HERE, "tns": DESCRIPTOR}, {"dsn": DESCRIPTOR, "user": "shop"}),
        ({"tns": "db.example:1521/shop"}, {"dsn": "db.example:1521/shop"}),
        ({**HERE, "options": {"PDO::ATTR_TIMEOUT": "3"}}, {"tcp_connect_timeout": 3.0}),
        ({**HERE, "options": {"wallet_location": "w", "ssl_server_dn_match": "no"}},
         {"wallet_location": "w", "ssl_server_dn_match": False}),
    ],
)  # fmt: skip
def test_settings_become_parameters(config: dict[str, Any], expected: dict[str, Any]) -> None:
    found = told(**config)
    assert expected.items() <= found.items()
    assert ("sid" in found) + ("service_name" in found) + ("dsn" in found) == 1
    assert "dsn" not in found or not {"host", "port", "protocol"} & set(found)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({}, "at least host and database name"),
        ({"host": "h"}, "at least host and database name"),
        ({**HERE, "port": 70000}, "port"),
        ({**HERE, "protocol": "udp"}, "protocol"),
        ({**HERE, "charset": "x'y"}, "charset"),
        ({**HERE, "tns": "(DESCRIPTION=(nonsense"}, "tns"),
        ({**HERE, "tns": "ALIAS"}, "tns"),
    ],
)
def test_what_leads_nowhere_is_refused(config: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as caught:
        OracleConfig(**config)
    assert named in str(caught.value)


def test_a_wrong_setting_is_refused_over_rest_with_its_name(gateway: Gateway) -> None:
    body = {"name": "wrong", "label": "x", "type": "oracle", "is_active": True, "config": {**HERE, "protocol": "udp"}}
    reply = gateway.admin.post("/system/service", json={"resource": [body]})
    assert reply.status_code == 400
    assert "protocol" in reply.text
    assert "s3cret" not in reply.text


@pytest.mark.parametrize(
    "answer",
    [packet(4, b"\x22\x00" + len(REFUSED).to_bytes(2, "big") + REFUSED), b"HTTP/1.1 400 Bad Request\r\n\r\n", b""],
    ids=["refused", "not a listener", "hangs up"],
)
def test_a_listener_that_has_no_database_is_a_503(gateway: Gateway, answer: bytes) -> None:
    with listening(answer) as port:
        assert_unavailable(gateway, port)


def test_a_listener_that_says_nothing_is_a_503_in_time(gateway: Gateway) -> None:
    """And later ones do not wait for the first: the driver's own pool would."""
    with listening(None) as port:
        assert_unavailable(gateway, port, options={"connect_timeout": 0.2})


def test_a_port_that_nobody_listens_on_is_a_503(gateway: Gateway) -> None:
    assert_unavailable(gateway, free_port())


def assert_unavailable(gateway: Gateway, port: int, **more: Any) -> None:
    name = f"there_{port}"
    gateway.create_service(name, "oracle", {**HERE, "port": port, **more})
    for path in ("_table", "_table/book", "_schema", "_proc", "_func/f"):
        reply = gateway.admin.get(f"/{name}/{path}")
        assert (reply.status_code, reply.headers["Retry-After"]) == (503, "1"), reply.text
        assert reply.json()["error"]["message"] == "The database can not be reached."
        for secret in ("127.0.0.1", str(port), "XE", "s3cret", "DPY", "ORA"):
            assert secret not in reply.text


def test_importing_the_connector_does_not_import_the_driver(gateway: Gateway) -> None:
    kind: Callable[..., Any] = gateway.app.registry.load("oracle")
    assert kind is Oracle
