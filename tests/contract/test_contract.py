"""Recorded exchanges with the original, replayed against a whole gateway: as recorded, or better by a decision."""

from __future__ import annotations

import pytest

from .differences import DIFFERENCES, EXCLUDED
from .replay import Report, replay

FILES = ("reads", "filters", "writes", "schema-roles")
LEAST_SHARE = 0.95


@pytest.fixture(scope="module", params=FILES)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return replay(request.param, tmp_path_factory.mktemp(request.param))


def test_every_answer_is_the_recorded_one_or_a_better_one(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(report.counts.items()))
        print(f"\ncontract {report.file}: {counts}")
    asked = report.counts.total() - report.counts["excluded"]
    assert asked - len(report.failures) >= LEAST_SHARE * asked
    assert not report.failures, "\n".join(report.failures)


def test_every_difference_names_its_decision_and_every_exclusion_its_reason() -> None:
    assert all(better.decision.startswith("D") for better in DIFFERENCES.values())
    assert all(reason.endswith(".") for reason in EXCLUDED.values())
    assert not DIFFERENCES.keys() & EXCLUDED.keys()
