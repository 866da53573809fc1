"""Recorded exchanges with the original, replayed against a whole gateway: as recorded, or better by a decision."""

from __future__ import annotations

from pathlib import Path

import pytest
from databases import execute

from .differences import PGSQL, SQLITE, Engine
from .replay import HERE, Report, replay

FILES = ("reads", "filters", "writes", "schema-roles")
LEAST_SHARE = 0.95


@pytest.mark.parametrize("file", FILES)
def test_every_answer_is_the_recorded_one_or_a_better_one(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judge(replay(file, tmp_path, SQLITE), capsys)


@pytest.mark.live
@pytest.mark.parametrize("file", FILES)
def test_every_answer_is_the_recorded_one_or_a_better_one_on_postgresql(
    file: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """On what the recordings were made on."""
    config = request.getfixturevalue("postgresql_server").new_config()
    execute(config, (HERE / "fixture.sql").read_bytes())
    judge(replay(file, tmp_path, PGSQL, config), capsys)


def judge(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(report.counts.items()))
        print(f"\ncontract {report.file} on {report.engine.service_type}: {counts}")
    asked = report.counts.total() - report.counts["excluded"]
    assert asked - len(report.failures) >= LEAST_SHARE * asked
    assert not report.failures, "\n".join(report.failures)


@pytest.mark.parametrize("engine", [SQLITE, PGSQL], ids=lambda engine: engine.service_type)
def test_every_difference_names_its_decision_and_every_exclusion_its_reason(engine: Engine) -> None:
    assert all(better.decision.startswith(("D", "spec")) for better in engine.differences.values())
    assert all(reason.endswith(".") for reason in engine.excluded.values())
    assert not engine.differences.keys() & engine.excluded.keys()
