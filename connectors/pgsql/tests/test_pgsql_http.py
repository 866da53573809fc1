"""What only a served gateway shows: large results in constant memory, and clients that leave."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from databases import execute
from processes import TRUNKLINE, clean_environment, free_port
from servers import Server

from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for

pytestmark = [pytest.mark.live, pytest.mark.slow]
ROWS = 1_000_000
MOST_GROWTH = 20 * 1024  # KiB
PATIENCE = 5.0


class Served:
    """A gateway in a process of its own, with a service ``shop`` on PostgreSQL."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, key: str, config: dict[str, Any]) -> None:
        self.process, self.port, self.key, self.config = process, port, key, config
        self.client = httpx2.Client(
            base_url=f"http://127.0.0.1:{port}/api/v2/shop/_table", headers={"X-DreamFactory-Api-Key": key}, timeout=60
        )

    def memory(self, figure: str) -> int:
        """Read VmRSS, or its highest value VmHWM, in KiB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(figure))

    def busy(self, state: str = "active") -> int:
        """Count the statements of the gateway that the server is working on."""
        ((number,),) = execute(
            self.config,
            "select count(*) from pg_stat_activity where application_name = 'trunkline'"
            f" and datname = current_database() and state like '{state}'",
        )
        return int(number)

    def asked(self, path: str) -> socket.socket:
        """Send a GET and do not wait for the answer."""
        one = socket.create_connection(("127.0.0.1", self.port))
        head = f"GET /api/v2/shop/_table/{path} HTTP/1.1\r\nHost: x\r\nX-DreamFactory-Api-Key: {self.key}\r\n"
        one.sendall(f"{head}Accept: application/x-ndjson\r\n\r\n".encode())
        return one


@pytest.fixture(scope="module")
def served(postgresql_config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    storage, config = tmp_path_factory.mktemp("served"), postgresql_config
    execute(
        config,
        "create table measure (id serial primary key, place varchar(40), taken timestamp, value numeric(12,4),"
        " ok boolean)",
        "insert into measure (place, taken, value, ok) select 'place ' || i % 100, timestamp '2024-01-01' + i *"
        f" interval '1 second', i / 7.0, i % 3 = 0 from generate_series(1, {ROWS}) i",
        "create view slow as select id, pg_sleep(0.5)::text as nap from measure order by id",
        "create table parent (id serial primary key, name varchar(40))",
        "create table child (id serial primary key, parent_id integer references parent, note varchar(40))",
        "insert into parent (name) select 'parent ' || i from generate_series(1, 1500) i",
        "insert into child (parent_id, note) select 1 + i % 1500, 'note ' || i from generate_series(1, 4000) i",
    )
    with Gateway(settings_for(storage)) as gateway:
        gateway.create_service("shop", "pgsql", {**config, "max_records": 2 * ROWS})
        role = gateway.create_role([{"service": "shop", "component": "_table/*", "verb_mask": 31}])
        key = gateway.create_app(role)["api_key"]
        secret = gateway.app.settings.app_key
    environment = clean_environment(
        TRUNKLINE_STORAGE=str(storage), LOG_CHANNEL=str(storage / "log"), LOG_LEVEL="info",
        APP_KEY=secret.get_secret_value() if secret else "",
    )  # fmt: skip
    port = free_port()
    command = [TRUNKLINE, "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, cwd=storage) as process:
        try:
            _wait(lambda: _answers(port), 30)
            served = Served(process, port, key, config)
            with served.client:
                yield served
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return bool(httpx2.get(f"http://127.0.0.1:{port}/status").status_code)
    return False


def _wait(true: Callable[[], bool], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("accept", "lines"), [("application/x-ndjson", ROWS), ("text/csv", ROWS + 1), ("application/json", 1)]
)
def test_a_long_result_goes_out_in_constant_memory(served: Served, accept: str, lines: int) -> None:
    rows = ROWS if lines > 1 else 100_000
    served.client.get("/measure", params={"limit": 5000}, headers={"Accept": accept}).raise_for_status()
    before, found, last = served.memory("VmRSS"), 0, b""
    Path(f"/proc/{served.process.pid}/clear_refs").write_text("5")  # the highest value counts from here
    with served.client.stream("GET", "/measure", params={"limit": rows}, headers={"Accept": accept}) as reply:
        assert reply.status_code == 200
        for chunk in reply.iter_bytes():
            found += chunk.count(b"\n")
            last = (last + chunk)[-200:]
    growth = served.memory("VmHWM") - before
    if lines == 1:
        assert last.endswith(b"]}") or b'"meta":' in last
        assert f'"id":{rows},'.encode() in last
    else:
        assert found == lines
        assert str(rows).encode() in last.splitlines()[-1]
    assert growth <= MOST_GROWTH, f"grew by {growth} KiB"


def test_a_stream_is_what_a_page_is(served: Served) -> None:
    query = {"filter": "id > 500", "order": "id", "limit": 1500, "offset": 3}
    page = [
        row
        for offset in (3, 1003)
        for row in served.client.get(
            "/measure", params={**query, "offset": offset, "limit": 1000 if offset == 3 else 500}
        ).json()["resource"]
    ]
    lines = served.client.get("/measure", params=query, headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert [json.loads(line) for line in lines] == page
    assert served.client.get("/measure", params=query).json()["resource"] == page


def test_a_stream_of_json_has_meta_behind(served: Served) -> None:
    found = served.client.get("/measure", params={"limit": 2000, "include_count": "true", "fields": "id"}).json()
    assert len(found["resource"]) == 2000
    assert found["meta"] == {"count": ROWS, "next": 2000}


def test_an_error_before_the_first_record_is_told(served: Served) -> None:
    reply = served.client.get(
        "/measure", params={"limit": 5000, "filter": "nope = 1"}, headers={"Accept": "application/x-ndjson"}
    )
    assert reply.status_code == 400


def test_a_client_that_leaves_stops_its_statement(served: Served) -> None:
    one = served.asked("slow?limit=900")
    _wait(lambda: served.busy() == 1)
    time.sleep(0.3)
    one.close()
    _wait(lambda: served.busy() == 0)
    assert served.client.get("/measure/1").status_code == 200


def test_a_client_that_leaves_ends_its_stream(served: Served) -> None:
    one = served.asked(f"measure?limit={ROWS}")
    assert one.recv(1000)
    _wait(lambda: served.busy("idle in transaction%") + served.busy() == 1)
    one.close()
    _wait(lambda: served.busy("idle in transaction%") + served.busy() == 0)
    assert served.client.get("/measure/1").status_code == 200


def test_related_records_of_a_thousand_parents_are_one_statement(served: Served, postgresql_server: Server) -> None:
    log = postgresql_server.log
    execute(served.config, f"alter database {served.config['database']} set log_statement = 'all'")
    execute(
        served.config,
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'trunkline'"
        " and datname = current_database()",
    )
    served.client.get("/parent/1")
    served.client.get("/parent/1")
    before = log.stat().st_size
    found = served.client.get("/parent", params={"limit": 1000, "related": "child_by_parent_id"}).json()["resource"]
    assert len(found) == 1000
    assert sum(len(one["child_by_parent_id"]) for one in found) > 2500
    with log.open() as lines:
        lines.seek(before)
        statements = [line for line in lines if "execute " in line or "statement: " in line]
    assert len([one for one in statements if "parent" in one]) == 2, statements
