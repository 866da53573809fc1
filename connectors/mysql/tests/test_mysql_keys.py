"""Keys that the server takes for equal although their letters are not: case, accents, blanks at the end."""

from __future__ import annotations

from typing import Any

import pymysql
import pytest

from trunkline.testing import Client, Gateway

pytestmark = pytest.mark.live


@pytest.fixture
def client(gateway: Gateway, mariadb_server: Any) -> Client:
    config: dict[str, Any] = mariadb_server.new_config()
    login = {name: config[name] for name in ("host", "port", "password", "database")}
    with (
        pymysql.connect(user=config["username"], autocommit=True, **login) as connection,
        connection.cursor() as cursor,
    ):
        for statement in (
            "create table place (code varchar(20) primary key, name varchar(20)) collate utf8mb4_general_ci",
            "create table visit (id int auto_increment primary key, place varchar(20), foreign key (place)"
            " references place (code)) collate utf8mb4_general_ci",
            "insert into place values ('ab', 'first'), ('café', 'second')",
            "insert into visit (place) values ('ab'), ('AB'), ('Ab '), ('CAFE')",
        ):
            cursor.execute(statement)
    gateway.create_service("loose", "mysql", config)
    return gateway.admin


def test_related_records_are_those_that_the_server_says(client: Client) -> None:
    params = {"related": "visit_by_place", "order": "code"}
    found = client.get("/loose/_table/place", params=params).json()["resource"]
    assert {one["code"]: [row["place"].rstrip() for row in one["visit_by_place"]] for one in found} == {
        "ab": ["ab", "AB", "Ab"],
        "café": ["CAFE"],
    }
    found = client.get("/loose/_table/visit", params={"related": "place_by_place", "order": "id"}).json()["resource"]
    assert [one["place_by_place"]["name"] for one in found] == ["first", "first", "first", "second"]


def test_records_are_found_by_ids_that_the_server_takes_for_theirs(client: Client) -> None:
    reply = client.get("/loose/_table/place", params={"ids": "AB,cafe", "fields": "code"})
    assert reply.json() == {"resource": [{"code": "ab"}, {"code": "café"}]}
    assert client.get("/loose/_table/place", params={"ids": "ac"}).status_code == 400
