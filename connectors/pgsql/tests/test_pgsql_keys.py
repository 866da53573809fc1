"""Keys and relations of every type, and groups of columns that are read as text."""

from __future__ import annotations

from typing import Any

import pytest
from databases import execute
from servers import Server

from trunkline.testing import Client, Gateway

pytestmark = pytest.mark.live

KEYS = {
    "uuid": ["0f14d0ab-9605-4a62-a9e4-5ed26688389b", "1f14d0ab-9605-4a62-a9e4-5ed26688389b"],
    "mood": ["ok", "sad"],
    "date": ["2026-01-02", "2026-01-03"],
    "timestamptz": ["2026-01-02 03:04:05+00", "2026-01-02 03:04:05.5+00"],
    "numeric": [1.5, 2.25],
    "bigint": [2**62, 2**62 + 1],
    "inet": ["10.0.0.1", "10.0.0.2"],
    "character(3)": ["ab ", "abc"],
    "real": [0.1, 0.2],
    "boolean": [False, True],
    "bytea": ["AAE=", "AAI="],
}


class TestKeys:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, gateway: Gateway, postgresql_server: Server) -> Client:
        config = postgresql_server.new_config()
        execute(config, "create type mood as enum ('sad', 'ok')")
        for number, kind in enumerate(KEYS):
            execute(
                config,
                f"create table p{number} (k {kind} primary key, w text)",
                f"create table c{number} (id serial primary key, k {kind} references p{number})",
                f"create table l{number} (p {kind} references p{number}, c integer references c{number},"
                " primary key (p, c))",
            )
        gateway.create_service("keys", "pgsql", {**config, "timezone": "UTC", "allow_upsert": True})
        return gateway.admin

    @pytest.mark.parametrize(("number", "kind"), list(enumerate(KEYS)), ids=list(KEYS))
    def test_any_type_is_a_key(self, client: Client, number: int, kind: str) -> None:
        one, other = KEYS[kind]
        table = f"/keys/_table/p{number}"
        made = client.post(table, json=[{"k": one, "w": "a"}, {"k": other, "w": "b"}])
        assert made.json() == {"resource": [{"k": one}, {"k": other}]}, made.text
        assert client.post(table, json=[{"k": one}]).status_code == 400
        assert client.post(table, json={"k": one}).status_code == 409
        ids = {"ids": [other, one, other]}
        found = client.post(table, json=ids, headers={"X-HTTP-Method": "GET"})
        assert [row["w"] for row in found.json()["resource"]] == ["b", "a", "b"]
        assert client.patch(table, json=[{"k": one, "w": "c"}]).json() == {"resource": [{"k": one}]}

        children = f"/keys/_table/c{number}"
        reply = client.post(children, json=[{"k": one}, {"k": one}, {"k": None}, {"k": other}])
        assert reply.status_code == 200, reply.text
        related: Any = client.get(table, params={"related": f"c{number}_by_k", "order": "w"}).json()["resource"]
        assert [len(row[f"c{number}_by_k"]) for row in related] == [1, 2]
        back = client.get(children, params={"related": f"p{number}_by_k", "filter": "k is not null", "order": "id"})
        assert [row[f"p{number}_by_k"]["w"] for row in back.json()["resource"]] == ["c", "c", "b"]
        many = client.get(table, params={"related": f"c{number}_by_l{number}"})
        assert many.status_code == 200, many.text

        params = {"fields": "k,COUNT(*)", "group": "k", "order": "k", "filter": "k is not null"}
        groups = client.get(children, params=params).json()["resource"]
        assert sorted(row["count_all"] for row in groups) == [1, 2]
        assert sorted(str(row["k"]) for row in groups) == sorted([str(one), str(other)])
