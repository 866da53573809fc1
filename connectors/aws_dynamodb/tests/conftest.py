"""Tables made past the gateway, and a service on their account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from trunkline.testing import Client, Gateway


@pytest.fixture(scope="module")
def account(dynamodb_server: Any) -> dict[str, Any]:
    """An account with tables of both kinds of keys, nothing declared of them."""
    found: dict[str, Any] = dynamodb_server.new_config()
    client = client_of(found)
    kinds = {"id": "N", "sensor": "S", "at": "N", "page": "S", "owner": "S", "level": "N"}

    def keys(*names: str) -> dict[str, Any]:
        schema = [{"AttributeName": one, "KeyType": kind} for one, kind in zip(names, ("HASH", "RANGE"), strict=False)]
        return {"KeySchema": schema}

    def made(name: str, names: tuple[str, ...], *indexes: tuple[str, ...]) -> None:
        used = dict.fromkeys([*names, *(one for index in indexes for one in index)])
        more = {
            "GlobalSecondaryIndexes": [
                {"IndexName": "-".join(one), "Projection": {"ProjectionType": "ALL"}, **keys(*one)} for one in indexes
            ]
        }
        client.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST", **keys(*names), **(more if indexes else {}),
            AttributeDefinitions=[{"AttributeName": one, "AttributeType": kinds[one]} for one in used],
        )  # fmt: skip

    made("plain", ("id",))
    made("loose", ("page",))
    made("readings", ("sensor", "at"), ("owner",), ("owner", "level"))
    return found


def client_of(config: dict[str, Any]) -> Any:
    """Make a client past the gateway."""
    return boto3.client(
        "dynamodb", region_name=config["region"], endpoint_url=config["endpoint"], aws_access_key_id=config["key"],
        aws_secret_access_key=config["secret"],
    )  # fmt: skip


@pytest.fixture
def direct(account: dict[str, Any]) -> Any:
    """A client past the gateway."""
    return client_of(account)


@pytest.fixture
def shop(gateway: Gateway, account: dict[str, Any]) -> Client:
    """A client, with a service ``shop``; all tables but ``readings`` are empty, and ``box`` has declared fields."""
    client = gateway.admin
    if "shop" not in gateway.app.directory.snapshot.services:
        gateway.create_service("shop", "aws_dynamodb", account)
    if "box" not in client.get("/shop/_table", params={"as_list": "true"}).json()["resource"]:
        fields: list[dict[str, Any]] = [
            {"name": "id", "type": "integer", "is_primary_key": True}, {"name": "n", "type": "integer"},
            {"name": "owner", "type": "string", "is_index": True}, {"name": "amount", "type": "decimal"},
            {"name": "size", "type": "double"},
            {"name": "order", "type": "string"}, {"name": "made", "type": "datetime"}, {"name": "doc", "type": "json"},
        ]  # fmt: skip
        fields = [{**one, "allow_null": not one.get("is_primary_key")} for one in fields]
        assert client.post("/shop/_schema", json={"resource": [{"name": "box", "field": fields}]}).status_code == 200
    for table in ("plain", "loose", "box"):
        assert client.delete(f"/shop/_table/{table}", params={"force": "true"}).status_code == 200
    return client


@pytest.fixture
def asked(gateway: Gateway, shop: Client) -> Iterator[Callable[[], list[tuple[str, dict[str, Any]]]]]:
    """A function that answers what DynamoDB was asked since it was last called."""
    service: Any = gateway.app.services.of(gateway.app.directory.snapshot.services["shop"])
    connection, seen = service.store.connection, list[tuple[str, dict[str, Any]]]()
    original = connection.call

    async def call(operation: str, **arguments: Any) -> dict[str, Any]:
        seen.append((operation, arguments))
        found: dict[str, Any] = await original(operation, **arguments)
        return found

    def since() -> list[tuple[str, dict[str, Any]]]:
        found = list(seen)
        seen.clear()
        return found

    connection.call = call
    for table in ("plain", "readings", "box"):
        shop.get(f"/shop/_table/{table}", params={"limit": 1})  # which describes it
    seen.clear()
    yield since
    del connection.call
