"""Random roles against a naive model of the rules: reads, writes, counts, related rows (checklist 9 to 12, D5).

The model below is written from the specification (system-api 11, database-api 16) and shares no code with the gateway.
"""

from __future__ import annotations

import itertools
import operator
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from trunkline.testing import Client, Gateway
from trunkline.testing.fixtures import settings_for

SERVICES = ("alpha", "beta")
VERBS = {"GET": 1, "POST": 2, "PUT": 4, "PATCH": 8, "DELETE": 16}
REGIONS = ("EU", "US", "AS")
AUTHORS = [{"id": i, "name": f"author {i}", "region": REGIONS[i % 3], "rank": i} for i in range(1, 6)]
BOOKS = [
    {"id": i, "author_id": 1 + i % 5, "title": f"book {i}", "region": REGIONS[i % 3], "rank": i % 4}
    for i in range(1, 11)
]
DDL = (
    "create table author (id integer primary key, name varchar(40), region varchar(8), rank integer)",
    "create table book (id integer primary key, author_id integer references author(id), title varchar(40),"
    " region varchar(8), rank integer)",
)
Row = dict[str, Any]


# The model.


def level(row: Row, service: str, component: str) -> int:
    """Rate how closely a row fits: 4 exact, 3 wildcard, 2 service, 1 all services, 0 not at all."""
    own = row["component"].strip("/")
    if row["service"] is None:
        return 1 if own == "*" or (own == "" and component == "") else 0
    if row["service"] != service:
        return 0
    if component == "":
        return {"": 4, "*": 2}.get(own, 0)
    if own == component:
        return 4
    return 3 if own.endswith("*") and f"{component}/".startswith(own[:-1]) else 0


def closest(role: list[Row], service: str, component: str) -> list[Row]:
    """List the rows on the closest level, for a caller over the network."""
    rated = [(level(row, service, component), row) for row in role if row["requestor_mask"] & 1]
    best = max((one for one, _row in rated), default=0)
    return [row for one, row in rated if one == best and best > 0]


def may(role: list[Row], verb: str, service: str, component: str) -> bool:
    return any(row["verb_mask"] & VERBS[verb] for row in closest(role, service, component))


OPERATORS = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, "<=": operator.le,
    "in": lambda value, options: value in options,
}  # fmt: skip


def holds(condition: Row, record: Row) -> bool:
    value, wanted = record[condition["name"]], condition["value"]
    if value is None:
        return False
    if condition["operator"] == "in":
        wanted = [type(value)(one) for one in str(wanted).split(",")]
    return bool(OPERATORS[condition["operator"]](value, wanted))


def sees(role: list[Row], verb: str, service: str, component: str, record: Row) -> bool:
    """Say whether every row filter that binds there lets the record through."""
    for row in closest(role, service, component):
        if row["verb_mask"] & VERBS[verb] and row["filters"]:
            judged = [holds(one, record) for one in row["filters"]]
            if not (any(judged) if row["filter_op"] == "or" else all(judged)):
                return False
    return True


# What is generated.

conditions = st.one_of(
    st.builds(
        lambda op, value: {"name": "region", "operator": op, "value": value},
        st.sampled_from(["=", "!="]),
        st.sampled_from(REGIONS),
    ),
    st.builds(
        lambda op, value: {"name": "rank", "operator": op, "value": value},
        st.sampled_from(["=", "!=", ">", "<="]),
        st.integers(0, 4),
    ),
    st.builds(lambda values: {"name": "region", "operator": "in", "value": ",".join(values)}, st.sets(
        st.sampled_from(REGIONS), min_size=1
    )),
)  # fmt: skip
access_rows = st.fixed_dictionaries(
    {
        "service": st.sampled_from([*SERVICES, *SERVICES, None]),
        "component": st.sampled_from(
            ["", "*", "*", "_table", "_table/", "_table/*", "_table/book", "_table/book/", "_table/book/*",
             "_table/author", "_table/author/*", "_table/book/1", "_schema/*", "_table/bo*"]
        ),
        "verb_mask": st.one_of(st.sampled_from([31, 31, 1, 9, 3]), st.integers(0, 31)),
        "requestor_mask": st.sampled_from([1, 3, 3, 3, 2, 0]),
        "filters": st.lists(conditions, max_size=2),
        "filter_op": st.sampled_from(["and", "or"]),
    }
)  # fmt: skip
roles = st.lists(access_rows, min_size=1, max_size=5)
tables = st.sampled_from(["book", "author"])


class Sqlite:
    """A file."""

    kind = "sqlite"

    def __init__(self, file: Path) -> None:
        self.file = file
        self.config = {"database": file.name}
        file.parent.mkdir(exist_ok=True)

    def run(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.file)) as database:
            database.executescript(";".join(("begin", *statements, "commit")))

    def rows(self, table: str) -> list[Row]:
        with closing(sqlite3.connect(self.file)) as database:
            cursor = database.execute(f"select * from {table}")
            names = [one[0] for one in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]


class Postgresql:
    """A database of a private server; one connection, because a new one for each look would cost more than all else."""

    kind = "pgsql"

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        names = ("host", "port", "password")
        login = {name: config[name] for name in names} | {"user": config["username"], "dbname": config["database"]}
        self.connection = psycopg.connect(**login, autocommit=True, row_factory=psycopg.rows.dict_row)

    def run(self, *statements: str) -> None:
        self.connection.execute(";".join(statements).encode())

    def rows(self, table: str) -> list[Row]:
        return self.connection.execute(f"select * from {table}".encode()).fetchall()


class World:
    """Two services with the same tables, and what the model believes to be in them."""

    def __init__(self, gateway: Gateway, databases: list[Any]) -> None:
        self.gateway = gateway
        self.databases = dict(zip(SERVICES, databases, strict=True))
        for name, database in self.databases.items():
            database.run(*DDL)
            gateway.create_service(name, database.kind, database.config)
        self.reset()

    def reset(self) -> None:
        filled = [_insert(table, one) for table, records in (("author", AUTHORS), ("book", BOOKS)) for one in records]
        for database in self.databases.values():
            database.run("delete from book", "delete from author", *filled)
        self.data = {
            (name, table): {one["id"]: dict(one) for one in records}
            for name in SERVICES
            for table, records in (("author", AUTHORS), ("book", BOOKS))
        }

    def agrees(self) -> None:
        """Check that the databases hold exactly what the model says."""
        for (service, table), records in self.data.items():
            found = {one["id"]: one for one in self.databases[service].rows(table)}
            assert found == records, (service, table)


def _insert(table: str, record: Row) -> str:
    return f"insert into {table} ({', '.join(record)}) values ({', '.join(repr(one) for one in record.values())})"


@pytest.fixture(scope="module", params=["sqlite", pytest.param("pgsql", marks=pytest.mark.live)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Gateway(settings_for(tmp_path_factory.mktemp("rbac"))) as gateway:
        if request.param == "sqlite":
            yield World(gateway, [Sqlite(gateway.storage / "databases" / f"{name}.sqlite") for name in SERVICES])
            return
        server = request.getfixturevalue("postgresql_server")
        databases = [Postgresql(server.new_config()) for _ in SERVICES]
        yield World(gateway, databases)
        for one in databases:
            one.connection.close()


def ids_of(reply: Any) -> list[int]:
    assert reply.status_code == 200, reply.text
    return sorted(one["id"] for one in reply.json()["resource"])


checked = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@checked
@given(
    role=roles,
    table=tables,
    service=st.sampled_from(SERVICES),
    rank=st.integers(0, 4),
    some=st.sets(st.integers(1, 12), min_size=1, max_size=3),
)
@example(
    # A later unfiltered row on the same level must not undo an earlier filter (D5).
    role=[
        {"service": "alpha", "component": "_table/book/*", "verb_mask": 1, "requestor_mask": 3,
         "filters": [{"name": "region", "operator": "=", "value": "EU"}], "filter_op": "and"},
        {"service": "alpha", "component": "*", "verb_mask": 31, "requestor_mask": 3, "filters": [], "filter_op": "and"},
    ],
    table="book", service="alpha", rank=2, some={1, 2},
)  # fmt: skip
def test_reads(world: World, role: list[Row], table: str, service: str, rank: int, some: set[int]) -> None:
    client = world.gateway.key_for(role)
    path, component = f"/{service}/_table/{table}", f"_table/{table}"
    records = world.data[service, table]
    visible = {key: one for key, one in records.items() if sees(role, "GET", service, component, one)}
    allowed = may(role, "GET", service, component)
    reply = client.get(path)
    if not allowed:
        assert reply.status_code == 401
        assert client.get(path, params={"count_only": "true"}).status_code == 401
    else:
        assert ids_of(reply) == sorted(visible)
        assert client.get(path, params={"count_only": "true"}).json() == len(visible)
        counted = client.get(path, params={"include_count": "true", "limit": 1}).json()
        assert counted["meta"]["count"] == len(visible)
        wanted = sorted(key for key, one in visible.items() if one["rank"] > rank)
        assert ids_of(client.get(path, params={"filter": f"rank > {rank}"})) == wanted
        # A client's OR must not reach round the role's filter.
        assert ids_of(client.get(path, params={"filter": "id > 0 or id < 0"})) == sorted(visible)
        total = client.get(path, params={"fields": "COUNT(*)"}).json()["resource"][0]
        assert next(iter(total.values())) == len(visible)
        chosen = client.get(path, params={"ids": ",".join(map(str, sorted(some)))})
        assert chosen.status_code == (200 if some <= visible.keys() else 400)
    for key in sorted(some):
        below = f"{component}/{key}"
        found = client.get(f"{path}/{key}").status_code
        if not may(role, "GET", service, below):
            assert found == 401
        else:
            there = key in records and sees(role, "GET", service, below, records[key])
            assert found == (200 if there else 404), (key, found)


@checked
@given(role=roles, service=st.sampled_from(SERVICES), table=tables)
def test_related_rows(world: World, role: list[Row], service: str, table: str) -> None:
    client = world.gateway.key_for(role)
    other, relation = ("author", "author_by_author_id") if table == "book" else ("book", "book_by_author_id")
    reply = client.get(f"/{service}/_table/{table}", params={"related": relation})
    if not may(role, "GET", service, f"_table/{table}"):
        assert reply.status_code == 401
        return
    if not may(role, "GET", service, f"_table/{other}"):
        assert reply.status_code == 403
        return
    theirs = {
        key: one
        for key, one in world.data[service, other].items()
        if sees(role, "GET", service, f"_table/{other}", one)
    }
    assert reply.status_code == 200, reply.text
    for record in reply.json()["resource"]:
        if table == "book":
            author = theirs.get(record["author_id"])
            assert (record[relation] or {}).get("id") == (author or {}).get("id")
        else:
            mine = sorted(key for key, one in theirs.items() if one["author_id"] == record["id"])
            assert sorted(one["id"] for one in record[relation]) == mine


numbers = itertools.count(100)


@checked
@given(
    role=roles,
    service=st.sampled_from(SERVICES),
    key=st.integers(1, 11),
    region=st.sampled_from(REGIONS),
    rank=st.integers(0, 4),
    verb=st.sampled_from(["PATCH", "PUT"]),
)
def test_writes(world: World, role: list[Row], service: str, key: int, region: str, rank: int, verb: str) -> None:
    client = world.gateway.key_for(role)
    path, component = f"/{service}/_table/book", "_table/book"
    records = world.data[service, "book"]
    try:
        _create(client, role, service, records, region, rank)
        world.agrees()
        _update(client, role, service, records, key, region, verb)
        world.agrees()
        _update_some(client, role, service, records, rank, verb)
        world.agrees()
        reply = client.delete(path, params={"filter": f"rank > {rank}"})
        if not may(role, "DELETE", service, component):
            assert reply.status_code == 401
        else:
            gone = [
                one for one, record in records.items()
                if record["rank"] > rank and sees(role, "DELETE", service, component, record)
            ]  # fmt: skip
            assert ids_of(reply) == sorted(gone)
            for one in gone:
                del records[one]
        world.agrees()
    finally:
        world.reset()


def _create(client: Client, role: list[Row], service: str, records: dict[int, Row], region: str, rank: int) -> None:
    """Post a record: its values must pass the filters for POST."""
    record = {"id": next(numbers), "author_id": 1, "title": "new", "region": region, "rank": rank}
    reply = client.post(f"/{service}/_table/book", json=record)
    if not may(role, "POST", service, "_table/book"):
        assert reply.status_code == 401
    elif not sees(role, "POST", service, "_table/book", record):
        assert reply.status_code == 403, reply.text
    else:
        assert reply.status_code == 200, reply.text
        records[record["id"]] = record


def _update(
    client: Client, role: list[Row], service: str, records: dict[int, Row], key: int, region: str, verb: str
) -> None:
    """Change a record by id: the old values and the new ones must pass the filters."""
    component = f"_table/book/{key}"
    reply = client.request(verb, f"/{service}/_table/book/{key}", json={"region": region})
    if not may(role, verb, service, component):
        assert reply.status_code == 401
        return
    old = records.get(key)
    if old is None or not sees(role, verb, service, component, old):
        assert reply.status_code == 404, reply.text
    elif not sees(role, verb, service, component, {**old, "region": region}):
        assert reply.status_code == 403, reply.text
    else:
        assert reply.status_code == 200, reply.text
        old["region"] = region


def _update_some(client: Client, role: list[Row], service: str, records: dict[int, Row], rank: int, verb: str) -> None:
    """Change what a filter selects: of that, what the role lets through."""
    change = {"resource": [{"title": f"changed by {verb}"}]}
    reply = client.request(verb, f"/{service}/_table/book", params={"filter": f"rank <= {rank}"}, json=change)
    if not may(role, verb, service, "_table/book"):
        assert reply.status_code == 401
        return
    changed = [
        key for key, one in records.items() if one["rank"] <= rank and sees(role, verb, service, "_table/book", one)
    ]
    assert ids_of(reply) == sorted(changed)
    for key in changed:
        records[key]["title"] = f"changed by {verb}"
