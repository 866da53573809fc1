"""What is measured, and who may read it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from scraping import samples, scrape
from starlette.testclient import TestClient

from trunkline.settings import BadSettings
from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline_metrics.settings import MetricsSettings, load


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setenv("METRICS_ENABLED", "true")
    with Gateway(settings_for(tmp_path)) as gateway:
        yield gateway


def test_there_are_none_unless_they_are_wanted(fresh_gateway: Gateway) -> None:
    assert TestClient(fresh_gateway.app, client=("127.0.0.1", 1)).get("/metrics").status_code == 404
    assert fresh_gateway.app.plugins.get_plugin("metrics.instruments") is None


def test_requests_are_counted_and_timed(measured: Gateway) -> None:
    measured.admin.get("/system/role")
    measured.admin.get("/system/role/4711")
    measured.admin.post("/system/role", json=[{"name": "a"}])
    measured.admin.post("/system/role", headers={"X-HTTP-Method": "GET"})
    measured.anonymous.get("/user/session")
    measured.admin.get("/no_such_service")
    measured.admin.request("BREW", "/system/role")
    measured.admin.request("OPTIONS", "/system/role")
    measured.admin.get("")
    text = scrape(measured)
    expected = {
        ("system", "GET", "2xx"): 2.0,
        ("system", "GET", "4xx"): 1.0,
        ("system", "POST", "2xx"): 1.0,
        ("user", "GET", "4xx"): 1.0,
        ("none", "GET", "4xx"): 1.0,
        ("system", "other", "4xx"): 1.0,
        ("system", "other", "2xx"): 1.0,
        ("none", "GET", "2xx"): 1.0,
    }
    assert samples(text, "trunkline_requests_total") == expected
    assert samples(text, "trunkline_request_duration_seconds_count") == expected
    assert all(0 < one < 10 for one in samples(text, "trunkline_request_duration_seconds_sum").values())
    assert samples(text, "trunkline_requests_in_flight") == {(): 0.0}


def test_no_label_is_chosen_by_a_client(measured: Gateway) -> None:
    for number in range(50):
        measured.admin.get(f"/service{number}/path{number}")
        measured.admin.request(f"VERB{number}", f"/system/role/{number}")
        measured.create_user(f"user{number}@example.com")
    text = scrape(measured)
    labels = {name for family in text_string_to_metric_families(text) for one in family.samples for name in one.labels}
    assert labels == {"service_type", "verb", "status", "le", "of"}
    assert len(samples(text, "trunkline_requests_total")) <= 4
    for word in ("service1", "path1", "VERB1", "user1", "admin@"):
        assert word not in text


def test_the_state_of_the_gateway_is_there(measured: Gateway) -> None:
    before = samples(scrape(measured), "trunkline_revision")
    measured.admin.post("/system/role", json=[{"name": "a"}])
    text = scrape(measured)
    after = samples(text, "trunkline_revision")
    assert after[("config",)] == before[("config",)] + 1
    assert set(after) == {("config",), ("sessions",)}
    entries = samples(text, "trunkline_cache_entries")[()]
    measured.app.cache.set("one more", 1, 60)
    assert samples(scrape(measured), "trunkline_cache_entries")[()] == entries + 1
    assert samples(text, "trunkline_services")[("system",)] == 1


def test_a_blocked_event_loop_shows(measured: Gateway) -> None:
    portal = measured._http.portal
    assert portal is not None
    portal.call(time.sleep, 0.9)
    deadline = time.monotonic() + 5
    while samples(scrape(measured), "trunkline_event_loop_lag_seconds")[()] < 0.3:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_others_may_not_read(measured: Gateway) -> None:
    for client in ("10.0.0.1", "2001:db8::1", "testclient", "::ffff:10.0.0.1"):
        reply = TestClient(measured.app, client=(client, 1)).get("/metrics")
        assert reply.status_code == 403
        assert "trunkline_" not in reply.text
    for client in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"):
        assert "trunkline_requests" in scrape(measured, client)


def test_networks_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_ALLOWED", "10.1.0.0/16, 2001:db8::/32")
    settings = load()
    assert [settings.admits(one) for one in ("10.1.2.3", "2001:db8::5", "10.2.0.1", "127.0.0.1", "", None)] == [
        True, True, False, False, False, True
    ]  # fmt: skip
    monkeypatch.setenv("METRICS_ALLOWED", "everybody")
    with pytest.raises(BadSettings, match="METRICS_ALLOWED"):
        load()


def test_the_older_name_of_the_switch_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_ENABLED", "true")
    assert MetricsSettings().enabled
