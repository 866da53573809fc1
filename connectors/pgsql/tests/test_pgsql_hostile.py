"""What PostgreSQL itself is sent: nothing of a client's is in the text of any statement (checklist 1 to 6)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from databases import execute
from servers import Server

from trunkline.testing import Gateway
from trunkline_database.testing.hostile import CORPUS, MARK

pytestmark = pytest.mark.live
TUNNEL = {"X-HTTP-Method": "GET"}


def test_the_server_gets_clients_words_as_values_only(
    gateway: Gateway, postgresql_config: dict[str, Any], postgresql_server: Server
) -> None:
    config = postgresql_config
    execute(
        config,
        "create table thing (id serial primary key, name varchar(60), n integer, j jsonb, day date, tags text[])",
        "create function shout(word text) returns text language sql as $$ select upper(word) $$",
        "insert into thing (name, n) values ('a', 1), ('b', 2)",
        # The texts of statements go to the log, their values to lines of their own.
        f"alter database {config['database']} set log_statement = 'all'",
    )
    gateway.create_service("logged", "pgsql", config)
    start, client = postgresql_server.log.stat().st_size, gateway.admin
    base = "/logged/_table/thing"
    for text in CORPUS:
        word = text.replace("\0", "") + MARK
        for params in (
            {"filter": f"name = '{word}'"}, {"filter": "name = :w or name like :w", "params": {":w": word}},
            {"filter": f"{word} = 1"}, {"fields": f"id,{word}"}, {"fields": f"MAX({word})"}, {"order": f"id {word}"},
            {"order": word}, {"group": word}, {"related": word}, {"ids": [word]}, {"ids": [{word: 1}]},
            {"ids": [word], "id_field": "name"}, {"id_field": word, "ids": "1"}, {"paging": "keyset", "page": word},
        ):  # fmt: skip
            assert client.post(base, json=params, headers=TUNNEL).status_code < 500, params
        for record in ({"name": word, "j": {word: word}, "tags": [word]}, {word: 1}, {"day": word}, {"n": word}):
            assert client.post(base, json={"resource": [record, record]}).status_code < 500, record
            assert client.patch(f"{base}/1", json=record).status_code < 500, record
        for path in (
            f"_table/{quote(word, safe='')}",
            f"_table/thing/{quote(word, safe='')}",
            f"_proc/{quote(word, safe='')}",
        ):
            assert client.get(f"/logged/{path}").status_code < 500, path
        reply = client.post("/logged/_func/shout", json={"params": {"word": word}})
        assert reply.json() == word.upper()
    lines = postgresql_server.log.read_bytes()[start:].decode(errors="replace").splitlines()
    texts = [line for line in lines if "execute " in line or "statement: " in line]
    assert len(texts) > 500
    assert [line for line in texts if MARK in line.partition("LOG:")[2]] == []
    assert any(MARK in line for line in lines if "parameters: " in line)
