"""The same rows and filters on databases of five kinds: what SQLite answers, all of them answer."""

from __future__ import annotations

import datetime as dt
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from servers import Server

from trunkline.testing import Client, Gateway
from trunkline.testing.fixtures import settings_for

pytestmark = [pytest.mark.live, pytest.mark.slow]

TUNNEL = {"X-HTTP-Method": "GET"}
FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "integer", "is_primary_key": True},
    {"name": "n", "type": "integer", "allow_null": True},
    {"name": "amount", "type": "decimal", "precision": 10, "scale": 2, "allow_null": True},
    {"name": "word", "type": "string", "length": 40, "allow_null": True},
    {"name": "flag", "type": "boolean", "allow_null": True},
    {"name": "day", "type": "date", "allow_null": True},
]
NAMES = [one["name"] for one in FIELDS]
# The row filters of roles, and how they are joined.
ROLES: list[tuple[str, list[tuple[str, str, str]]]] = [
    ("AND", [("n", ">=", "0")]),
    ("OR", [("flag", "=", "true"), ("word", "contains", "a")]),
    ("AND", [("amount", "<", "5.50"), ("day", "is not null", "")]),
    ("AND", [("word", "not in", "a,b%"), ("n", "!=", "1")]),
]
# Letters whose case everybody folds alike, and what means something in one language or another.
ODD = "abABxZ09 _%\\'\"$.*?^[]{}():;,#/-+&|é☃\U0001f600\n"


@dataclass
class Engines:
    """One gateway with a service for each engine: the first is what the others are compared with."""

    gateway: Gateway
    services: list[str] = field(default_factory=list)
    roles: list[Client] = field(default_factory=list)

    def clients(self) -> list[Client]:
        """Answer who asks: the administrator, and a client for each of the roles."""
        return [self.gateway.admin, *self.roles]

    def add(self, name: str, config: dict[str, Any]) -> None:
        """Make a service and its table."""
        self.gateway.create_service(name, name, config)
        reply = self.gateway.admin.post(f"/{name}/_schema", json={"resource": [{"name": "thing", "field": FIELDS}]})
        assert reply.status_code == 200, reply.text
        self.services.append(name)

    def add_roles(self) -> None:
        """Make a client for each of the row filters."""
        for joined, filters in ROLES:
            named = [{"name": name, "operator": operator, "value": value} for name, operator, value in filters]
            access = {"component": "_table/thing/*", "verb_mask": 31, "filters": named, "filter_op": joined}
            self.roles.append(self.gateway.key_for([{"service": one, **access} for one in self.services]))

    def fill(self, rows: list[dict[str, Any]]) -> None:
        """Put these rows, and no others, everywhere."""
        for name in self.services:
            path = f"/{name}/_table/thing"
            reply = self.gateway.admin.delete(path, params={"force": "true"})
            assert reply.status_code == 200, (name, reply.text)
            reply = self.gateway.admin.post(path, json={"resource": rows})
            assert reply.status_code == 200, (name, reply.text)


@pytest.fixture(scope="module")
def engines(
    tmp_path_factory: pytest.TempPathFactory, secantus: Server, pouchdb_server: Server, cassandra_server: Server,
    dynamodb_server: Server,
) -> Iterator[Engines]:  # fmt: skip
    """The five, with the same table in each."""
    folder: Path = tmp_path_factory.mktemp("engines")
    with Gateway(settings_for(folder / "storage")) as gateway:
        made = Engines(gateway)
        made.add("sqlite", {"database": str(folder / "things.db")})
        for name, server in (
            ("mongodb", secantus), ("couchdb", pouchdb_server), ("cassandra", cassandra_server),
            ("aws_dynamodb", dynamodb_server),
        ):  # fmt: skip
            config: dict[str, Any] = server.new_config()  # type: ignore[attr-defined]  # each of these has it
            made.add(name, config)
        made.add_roles()
        yield made


# What is asked.

WHOLE = st.integers(-3, 3) | st.sampled_from([2**31 - 1, -(2**31), 1000])
AMOUNT = st.integers(-600, 600).map(lambda one: str(Decimal(one) / 100)) | st.sampled_from(["99999999.99", "5.50", "0"])
WORD = st.sampled_from(["", "a", "b", "ab", "A", "a%", "b_", "null", "true", "10", "9"]) | st.text(ODD, max_size=6)
DAY = st.dates(dt.date(2023, 12, 30), dt.date(2024, 1, 3)).map(str) | st.sampled_from(["1815-12-23", "9999-12-31"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(0, 13), "n": WHOLE, "amount": AMOUNT, "word": WORD, "flag": st.booleans(), "day": DAY,
}  # fmt: skip
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | VALUES[name] for name in NAMES if name != "id"}), min_size=4, max_size=12
).map(lambda rows: [{"id": number, **row} for number, row in enumerate(rows, 1)])
RANGES = ["=", "!=", "<", "<=", ">", ">=", "in", "not in", "between", "not between", "is null", "is not null"]
TEXTS = [one for name in ("like", "contains", "starts with", "ends with") for one in (name, f"not {name}")]


@dataclass
class Asked:
    """A filter with the values of its placeholders."""

    text: str
    params: dict[str, Any]


@st.composite
def comparisons(draw: st.DrawFn) -> tuple[str, str, list[Any]]:
    """Draw a field, an operator and its values."""
    name = draw(st.sampled_from(NAMES))
    operator = draw(st.sampled_from(RANGES + TEXTS * 2 if name == "word" else RANGES))
    if name == "flag":
        operator = draw(st.sampled_from(["=", "!=", "in", "not in", "is null", "is not null"]))
    size = (0, 0) if operator.startswith("is") else (2, 2) if "between" in operator else (1, 1)
    least, most = (1, 4) if operator.endswith("in") and "contain" not in operator else size
    return name, operator, draw(st.lists(VALUES[name], min_size=least, max_size=most))


TREES: st.SearchStrategy[Any] = st.recursive(
    comparisons(),
    lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner) | st.tuples(st.just("not"), inner),
    max_leaves=5,
)


def written(tree: Any, params: dict[str, Any]) -> str:
    """Write a filter's text; simple values stand in it, others get a placeholder."""
    if tree[0] == "not":
        return f"not ({written(tree[1], params)})"
    if tree[0] in ("and", "or"):
        return f"({written(tree[1], params)}) {tree[0]} ({written(tree[2], params)})"
    name, operator, values = tree
    given = [_value(one, params) for one in values]
    if operator in ("in", "not in"):
        return f"{name} {operator} ({','.join(given)})"
    return f"{name} {operator} {' and '.join(given)}".strip()


def _value(value: Any, params: dict[str, Any]) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if text and all(one in string.ascii_letters + string.digits + "-." for one in text):
        return f"'{text}'"
    params[name := f"p{len(params)}"] = value
    return f":{name}"


@st.composite
def questions(draw: st.DrawFn) -> tuple[dict[str, Any], int]:
    """Draw a request's options, and who asks."""
    asked: dict[str, Any] = {}
    if draw(st.integers(0, 9)):
        params: dict[str, Any] = {}
        asked["filter"] = written(draw(TREES), params)
        asked |= {"params": params} if params else {}
    if draw(st.booleans()):
        asked["fields"] = ",".join(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True)))
    if draw(st.booleans()):
        first = draw(st.lists(st.sampled_from(NAMES[1:]), max_size=2, unique=True))
        asked["order"] = ",".join(f"{one} {draw(st.sampled_from(['asc', 'desc']))}" for one in [*first, "id"])
        asked |= draw(st.sampled_from([{}, {"limit": 3}, {"limit": 2, "offset": 1}, {"limit": 1, "offset": 4}]))
    asked |= {"include_count": True} if not draw(st.integers(0, 3)) else {}
    return asked, draw(st.sampled_from([0, 0, 0, 1, 2, 3, 4]))


def answer(client: Client, service: str, asked: dict[str, Any]) -> Any:
    """Ask one engine; rows without an order are put into one."""
    reply = client.post(f"/{service}/_table/thing", json=asked, headers=TUNNEL)
    if reply.status_code != 200:
        return reply.status_code
    told = reply.json()
    rows = told["resource"]
    kept = rows if "order" in asked else sorted(rows, key=lambda row: sorted((k, str(v)) for k, v in row.items()))
    return kept, told.get("meta", {}).get("count")


def test_every_engine_answers_what_sqlite_does(engines: Engines) -> None:
    number = answered = 0

    @settings(
        max_examples=30, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(ROWS, st.lists(questions(), min_size=8, max_size=14))
    def compare(rows: list[dict[str, Any]], asked: list[tuple[dict[str, Any], int]]) -> None:
        nonlocal number, answered
        engines.fill(rows)
        clients = engines.clients()
        for question, who in asked:
            wanted, *others = (answer(clients[who], one, question) for one in engines.services)
            differ = {name: found for name, found in zip(engines.services[1:], others, strict=True) if found != wanted}
            assert not differ, (question, ROLES[who - 1] if who else "admin", rows, {"sqlite": wanted}, differ)
            number += 1
            answered += isinstance(wanted, tuple) and bool(wanted[0])

    compare()
    # What nobody answers, or all refuse, shows nothing.
    assert answered > number / 4 > 50


EDGE_ROWS: list[dict[str, Any]] = [
    {"id": 1, "n": 0, "amount": "0.00", "word": "", "flag": False, "day": "2024-02-29"},
    {"id": 2, "n": -1, "amount": "-0.01", "word": "a_b", "flag": True, "day": "1815-12-23"},
    {"id": 3, "n": 2**31 - 1, "amount": "99999999.99", "word": "a%b", "flag": True, "day": "9999-12-31"},
    {"id": 4, "n": None, "amount": None, "word": None, "flag": None, "day": None},
    {"id": 5, "n": 10, "amount": "10.10", "word": "null", "flag": True, "day": "2024-03-01"},
    {"id": 6, "n": 9, "amount": "9.9", "word": "axb", "flag": False, "day": "2023-12-31"},
    {"id": 7, "n": 1, "amount": "1.00", "word": "A\\b'c", "flag": None, "day": "2024-01-01"},
]
EDGES = [
    "word = ''", "word != ''", "word like ''", "word like '%'", "word like 'a_b'", "word contains '_'",
    "word contains '%'", "word starts with 'a%'", "word not like 'a%'", "not (word like 'a%')", "word = 'null'",
    "word in ('null', '')", "word > 'a'", "word < 'a'", "word between '' and 'a_b'", "n in (9, 9, 10)",
    "n between 3 and 1", "word between 'b' and 'a'",
    "n not in (9, 10)", "n > 9", "n <= -1", "amount = 10.1", "amount = 1", "amount < 9.90", "amount >= 9.90",
    "amount between -0.01 and 0", "amount > 99999999.98", "day > '2024-02-28'", "day = '2024-02-29'",
    "day <= '2023-12-31'", "flag = true", "flag != true", "flag in (true, false)", "not (flag = true)",
    "not (flag = true or n > 5)", "not (flag = true and n > 5)", "n is null or flag is null", "not (n is null)",
    "id in (1, 4, 99)", "id > 3 and id < 6", "id = 1 and id = 2", "id = 1 or id = 2 or n = 9", "id not in (1, 2)",
    "not (id = 4)", "n = 2147483647", "(n > 0 and n > 9) or (word = '' and flag = false)",
]  # fmt: skip


def test_every_engine_knows_the_edges(engines: Engines) -> None:
    engines.fill(EDGE_ROWS)
    for text in EDGES:
        for order in ("id", "word desc,id", "amount,id desc"):
            asked = {"filter": text, "fields": "id,word", "order": order, "include_count": True}
            wanted, *others = (answer(engines.gateway.admin, one, asked) for one in engines.services)
            assert isinstance(wanted, tuple), (text, wanted)
            assert dict.fromkeys(engines.services[1:], wanted) == dict(
                zip(engines.services[1:], others, strict=True)
            ), text
