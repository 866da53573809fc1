"""PostgreSQL: Trunkline with key, role and row filter beside a lean hand-written service and a usual one."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import databases
import servers
from bench.load import Asked
from bench.stand import APP_KEY, Contender, median_of, ratio_of, rounds, serving

CONNECTIONS, ROUNDS = 16, 5
MOST_P99, P99_CONNECTIONS = 2.0, 64
_FILTER = "filter=age%20%3E%2040"
_NEW = {
    "company_id": 7, "first_name": "Ann", "last_name": "New", "email": "new@example.com", "age": 30, "balance": 12.5,
    "is_active": True,
}  # fmt: skip
_HUNDRED = {"resource": [{**_NEW, "age": 20 + one % 50} for one in range(100)]}
# Case: ours, theirs, requests a turn, and how many times the lean service's CPU it may take.
CASES: dict[str, tuple[Asked, Asked, int, float]] = {
    "1 by id": (Asked("/4711"), Asked("/4711"), 2000, 2.5),
    "25 filtered": (
        Asked(f"?{_FILTER}&order=id&limit=25"), Asked("?older=40&limit=25"), 1200, 2.0,
    ),
    "1000": (Asked("?limit=1000"), Asked("?limit=1000"), 160, 1.0),
    "25 with relation": (
        Asked(f"?{_FILTER}&order=id&limit=25&related=company_by_company_id"),
        Asked("?older=40&limit=25&company=1"), 1000, 2.2,
    ),
    "25 with count": (
        Asked(f"?{_FILTER}&order=id&limit=25&include_count=true"), Asked("?older=40&limit=25&count=1"), 640, 1.4,
    ),
    "insert 1": (
        Asked("", "POST", {"resource": [_NEW]}), Asked("", "POST", {"resource": [_NEW]}), 1000, 2.2,
    ),
    "insert 100": (Asked("", "POST", _HUNDRED), Asked("", "POST", _HUNDRED), 160, 1.8),
    "update": (
        Asked("/4711", "PATCH", {"age": 33, "last_name": "Changed"}),
        Asked("/4711", "PATCH", {"age": 33, "last_name": "Changed"}), 1200, 2.5,
    ),
}  # fmt: skip


def fill(config: dict[str, Any]) -> None:
    """Make 10,000 contacts of 500 companies."""
    databases.execute(
        config,
        "create table company (id serial primary key, name varchar(80) not null, city varchar(40))",
        "create table contact (id serial primary key, company_id integer references company(id), first_name"
        " varchar(40), last_name varchar(40), email varchar(80), age integer, balance numeric(12,2), score double"
        " precision, is_active boolean, country_code char(2), born date, created_at timestamp, notes text)",
        "insert into company (name, city) select 'Company ' || i, 'City ' || i % 50 from generate_series(1, 500) i",
        "insert into contact (company_id, first_name, last_name, email, age, balance, score, is_active, country_code,"
        " born, created_at, notes) select 1 + i % 500, 'Ann', 'Last' || i, 'u' || i || '@example.com', 18 + i % 60,"
        " i * 7919 % 1000000 / 100.0, sqrt(i), i % 3 <> 0, 'DE', date '1950-01-02' + i % 9000,"
        " timestamp '2024-01-01 00:01:00' + i * interval '1 minute', 'note ' || i from generate_series(1, 10000) i",
        "create index on contact (company_id)",
        "vacuum analyze",
    )


def prepare(storage: Path, config: dict[str, Any]) -> str:
    """Set up a service, a role with a row filter, and an app; answer its key."""
    from trunkline.testing import Gateway
    from trunkline.testing.fixtures import settings_for

    with Gateway(settings_for(storage)) as gateway:
        gateway.create_service("bench", "pgsql", {**config, "max_records": 1000})
        row_filter = [{"name": "is_active", "operator": "=", "value": "true"}]
        role = gateway.create_role(
            [
                {"service": "bench", "component": "_table/contact/*", "verb_mask": 31, "filters": row_filter},
                {"service": "bench", "component": "_table/company/*", "verb_mask": 1},
            ]
        )
        return str(gateway.create_app(role)["api_key"])


async def compare(contenders: Sequence[Contender], chosen: Sequence[str]) -> bool:
    """Measure every case and print it; answer whether all targets hold."""
    good = True
    print(f"{'PostgreSQL':18}" + "".join(f"{one.name + ' µs':>14}" for one in contenders) + "   ratios to lean")
    for name, (ours, theirs, requests, most) in CASES.items():
        if chosen and name not in chosen:
            continue
        asked = [_at("/api/v2/bench/_table/contact", ours), *(_at("/contact", theirs) for _ in contenders[1:])]
        found = await rounds(list(zip(contenders, asked, strict=True)), requests, CONNECTIONS, ROUNDS)
        cpu = "".join(f"{median_of(found, index, 'cpu'):14.0f}" for index in range(len(contenders)))
        mine, peer = ratio_of(found, 0, 1), ratio_of(found, 2, 1)
        holds = mine <= most and mine <= peer
        print(f"{name:18}{cpu}   x{mine:.2f}, fastapi x{peer:.2f}, at most {most}{'' if holds else '  MISSED'}")
        good = good and holds
    for name in ("1 by id", "25 filtered"):
        if chosen and name not in chosen:
            continue
        ours, theirs, requests, _ = CASES[name]
        asked = [_at("/api/v2/bench/_table/contact", ours), _at("/contact", theirs)]
        pairs = list(zip(contenders[:2], asked, strict=True))
        found = await rounds(pairs, requests * 2, P99_CONNECTIONS, ROUNDS)
        ratio = ratio_of(found, 0, 1, "p99")
        figures = " and ".join(f"{median_of(found, index, 'p99'):.1f} ms" for index in (0, 1))
        print(f"{name}: p99 at {P99_CONNECTIONS} connections {figures}, x{ratio:.2f}, at most {MOST_P99}")
        good = good and ratio <= MOST_P99
    return good


def _at(base: str, asked: Asked) -> Asked:
    return Asked(base + asked.path, asked.method, asked.body)


def main(server: str, chosen: Sequence[str]) -> bool:
    """Run the comparison on a private server; answer whether all targets hold."""
    with contextlib.ExitStack() as stack:
        storage = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))) / "storage"
        database = stack.enter_context(servers.serving(databases.Postgresql))
        configs = [database.new_config() for _ in range(3)]
        for one in configs:
            fill(one)
        key = prepare(storage, configs[0])
        environments = [{"TRUNKLINE_STORAGE": str(storage), "APP_KEY": APP_KEY}]
        environments += [{"BENCH_DATABASE": _address(one), "BENCH_KEY": key} for one in configs[1:]]
        applications = ("trunkline.asgi:app", "bench.lean:app", "bench.peer:app")
        contenders = []
        for name, application, environment in zip(
            ("trunkline", "lean", "fastapi"), applications, environments, strict=True
        ):
            process, port = stack.enter_context(serving(server, application, environment))
            contenders.append(Contender(name, process, port, {"X-DreamFactory-API-Key": key}, _backends(database)))
        good = asyncio.run(compare(contenders, chosen))
    print(f"All figures are CPU of service and database together, {CONNECTIONS} connections, under {server}.\n")
    return good


def _backends(database: servers.Server) -> Callable[[], Sequence[int]]:
    """Watch all processes of the database: while one service is measured the others are idle."""
    assert database.process is not None
    pid = database.process.pid
    return lambda: [pid, *servers.children_of(pid)]


def _address(config: dict[str, Any]) -> str:
    login = f"{config['username']}:{config['password']}"
    return f"postgresql://{login}@{config['host']}:{config['port']}/{config['database']}"
