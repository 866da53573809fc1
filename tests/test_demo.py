"""The demo, as a newcomer and as a script meet it."""

import json
import shlex
import socket
import subprocess
from pathlib import Path

import httpx2
import pytest
from processes import TRUNKLINE, answering, clean_environment, free_port, interrupt, log_in, started

pytestmark = pytest.mark.slow
TABLE = "/api/v2/flights/_table/flights"
ROWS = 336776


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def facts(folder):
    """Run the whole command for a script; what later tests start in the same folder finds its data."""
    port = free_port()
    with started(TRUNKLINE, "demo", "--json", "--port", str(port), "--dir", "d", cwd=folder) as process:
        line = json.loads(process.stdout.readline())
        assert line["url"] == f"http://127.0.0.1:{port}"
        yield line
        interrupt(process)
        assert process.stdout.read() == "", "more than one line for scripts"


@pytest.fixture
def reader(facts):
    with httpx2.Client(base_url=facts["url"], headers={"X-DreamFactory-Api-Key": facts["api_key"]}) as client:
        yield client


def test_the_line_for_scripts_says_how_to_get_in(facts):
    assert set(facts) == {"url", "api_key", "admin_email", "admin_password", "services"}
    assert facts["services"] == ["flights"]
    assert len(facts["admin_password"]) >= 20
    with answering(facts["url"]) as client:
        log_in(client, facts["admin_email"], facts["admin_password"])
        assert client.get("/api/v2/system/role").json()["resource"]


def test_the_api_key_reads_everything(reader):
    assert reader.get(TABLE, params={"count_only": "true"}).json() == ROWS
    reply = reader.get(TABLE, params={"limit": 1, "related": "airlines_by_carrier"})
    assert reply.json()["resource"][0]["airlines_by_carrier"] == {"carrier": "UA", "name": "United Air Lines Inc."}


def test_the_api_key_changes_nothing(reader):
    assert reader.post(TABLE, json={"resource": [{"carrier": "UA"}]}).status_code == 401
    assert reader.delete(TABLE, params={"force": "true"}).status_code == 401
    assert reader.get("/api/v2/system/user").status_code == 401
    assert reader.get(TABLE, params={"count_only": "true"}).json() == ROWS


def test_the_login_is_kept_for_its_owner_only(facts, folder):
    memory = folder / "d/demo.json"
    assert memory.stat().st_mode & 0o777 == 0o600
    assert json.loads(memory.read_text())["admin_password"] == facts["admin_password"]


def test_a_taken_port_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [TRUNKLINE, "demo", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True)
    assert done.returncode == 1
    assert "Cannot listen on 127.0.0.1, port " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_starting_again_keeps_the_data_and_each_printed_line_works(facts, folder, tmp_path):
    """Two gateways on one folder: what the first one wrote, the second one serves, with the same key and login."""
    with answering(facts["url"]) as client:
        log_in(client, facts["admin_email"], facts["admin_password"])
        airline = {"resource": [{"carrier": "ZZ", "name": "Kept Airlines"}]}
        assert client.post("/api/v2/flights/_table/airlines", json=airline).status_code == 200

    with started(TRUNKLINE, "demo", "--port", str(free_port()), "--dir", "d", cwd=folder) as process:
        guide = []
        while not (guide and guide[-1].startswith("Ctrl-C")):
            guide.append(process.stdout.readline())
            assert guide[-1], "the demo ended before it was ready"
        text = "".join(guide)
        assert facts["admin_password"] in text
        assert facts["api_key"] in text

        lines = [line.strip() for line in guide if line.strip().startswith("curl ")]
        first, second, third = (resources(line) for line in lines)
        assert {row["dep_delay"] > 360 for row in first} == {True}
        assert [set(row) >= {"airlines_by_carrier", "planes_by_tailnum"} for row in second] == [True, True]
        assert sum(row["count_all"] for row in third) == ROWS

        url = shlex.split(lines[0])[4].partition("/api/")[0]
        key = {"X-DreamFactory-Api-Key": facts["api_key"]}
        kept = httpx2.get(f"{url}/api/v2/flights/_table/airlines/ZZ", headers=key)
        assert kept.json()["name"] == "Kept Airlines"


def resources(line: str) -> list[dict]:
    """Run a printed line and read what it prints."""
    done = subprocess.run(shlex.split(line), capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)["resource"]
