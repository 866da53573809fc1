"""Replaying one file of recorded exchanges, in order, against a gateway with SQLite or PostgreSQL behind it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trunkline.testing.fixtures import settings_for
from trunkline.testing.gateway import Client, Gateway

from . import fixture
from .compare import Comparison
from .differences import Better, Engine

HERE = Path(__file__).parent
# A user of the recordings, and who sent which credentials where a line says no more than that some were sent.
_USER = {"email": "uma@example.com", "name": "Uma User", "first_name": "Uma", "last_name": "User"}
_PASSWORD = "UserPass#123456789"
_TOKEN_AND_KEY = dict.fromkeys((46, 47, 49, 50, 51, 52, 55, 71), "N") | {48: "A"}
_VISIBLE = [{"name": "country_code", "operator": "=", "value": "DE"}]


@dataclass
class Report:
    """What came of the lines of a file."""

    file: str
    engine: Engine
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def replay(file: str, folder: Path, engine: Engine, config: dict[str, Any] | None = None) -> Report:
    """Replay a file on fresh databases; ``config`` leads to the one that ``fixture.sql`` was loaded into."""
    report = Report(file, engine)
    with Gateway(settings_for(folder / "storage")) as gateway:
        for name in ("pg", "lite"):
            if name == "pg" and config is not None:
                gateway.create_service(name, engine.service_type, config)
                continue
            fixture.create(folder / f"{name}.db")
            gateway.create_service(name, "sqlite", {"database": str(folder / f"{name}.db")})
        gateway.create_user(password=_PASSWORD, **_USER)
        clients = _clients(gateway)
        for line in (HERE / f"{file}.jsonl").read_text().splitlines():
            _replay_line(report, clients, json.loads(line))
    return report


def _clients(gateway: Gateway) -> dict[str, Client]:
    """Make the callers of the recordings; what the letters mean is told in the recordings' README."""
    everything = [{"service": name, "component": "*", "verb_mask": 31} for name in ("pg", "lite")]
    narrow: list[dict[str, Any]] = [
        {"service": "pg", "component": "_table/", "verb_mask": 1},
        {"service": "pg", "component": "_table/contact/*", "verb_mask": 7, "filters": _VISIBLE, "filter_op": "AND"},
    ]
    return {
        "A": gateway.key_for(everything),
        "N": gateway.key_for(narrow, name="narrow"),
        "R": gateway.with_key(gateway.create_app()["api_key"]),
        "J": gateway.admin,
        "-": gateway.anonymous,
    }


def _replay_line(report: Report, clients: dict[str, Any], line: dict[str, Any]) -> None:
    where = (report.file, line["n"])
    if where in report.engine.excluded:
        report.counts["excluded"] += 1
        return
    (client, credentials), better = _sender(clients, line), report.engine.differences.get(where)
    headers = {**line["headers"], **credentials}
    body = {} if line["body"] is None else {"json": _as_here(line["body"], clients)}
    answer = client.request(line["method"], line["path"], headers=headers, **body)
    if better is not None:
        found, kind = _judge_better(better, answer), f"better by {better.decision}"
        if better.undo:
            client.delete(f"{line['path']}/{answer.json()['id']}")
        if better.then is not None:
            client.post(line["path"], json=better.then, headers=headers)
    else:
        found, typed = _judge(line, answer)
        kind = "better by D10" if typed else "unchanged"
    if line["path"].endswith("/user/session") and line["method"] == "POST":
        clients["token"] = answer.json()["session_token"]
    if found:
        report.failures.append(f"{report.file} {line['n']}: {line['method']} {line['path']} {line['body']}: {found}")
        kind = "failed"
    report.counts[kind] += 1


def _sender(clients: dict[str, Any], line: dict[str, Any]) -> tuple[Client, dict[str, str]]:
    """Answer the caller of a line; a session token goes with the key that the line was sent with, if any."""
    if line["who"] != "*" or "token" not in clients:
        return clients["-" if line["who"] == "*" else line["who"]], {}
    return clients[_TOKEN_AND_KEY.get(line["n"], "-")], {"X-DreamFactory-Session-Token": clients["token"]}


def _as_here(value: Any, clients: dict[str, Client]) -> Any:
    """Put this gateway's id of ``pg`` where a recorded body names the one that it had."""
    if isinstance(value, list):
        return [_as_here(one, clients) for one in value]
    if not isinstance(value, dict):
        return value
    found = {name: _as_here(one, clients) for name, one in value.items()}
    if "ref_service_id" in found:
        found["ref_service_id"] = clients["J"].get("/system/service/pg").json()["id"]
    return found


def _judge_better(better: Better, answer: Any) -> str:
    if answer.status_code != better.status:
        return f"status {answer.status_code} is not {better.status}: {answer.text[:200]}"
    if better.says and better.says not in answer.text.replace('\\"', '"'):
        return f"does not say {better.says!r}: {answer.text[:300]}"
    if better.reply is None:
        return ""
    return Comparison(ordered=False, fresh_above=10_000).difference(better.reply, answer.json())


def _judge(line: dict[str, Any], answer: Any) -> tuple[str, bool]:
    if answer.status_code != line["status"]:
        return f"status {line['status']} became {answer.status_code}: {answer.text[:200]}", False
    if "json" not in (line["type"] or ""):
        return "", False
    if line["cut"]:
        return _judge_beginning(line["reply"], answer.text), False
    table_read = "/_table/" in line["path"] and line["method"] == "GET"
    compare = Comparison(
        ordered=not table_read or "order=" in line["path"] or "ids=" in line["path"],
        fresh_above=fixture.TODOS if "/todo" in line["path"] else fixture.INVOICES,
    )
    return compare.difference(json.loads(line["reply"]), answer.json()), compare.typed


def _judge_beginning(recorded: str, answered: str) -> str:
    """Compare what was kept of a reply that was shortened: up to the part where engines have their own words."""
    beginning = recorded[: min(len(recorded) - 20, 4000)]
    same = next((i for i, (a, b) in enumerate(zip(beginning, answered, strict=False)) if a != b), len(beginning))
    return "" if same == len(beginning) else f"...{recorded[same - 40 : same + 40]} became {answered[same : same + 40]}"
