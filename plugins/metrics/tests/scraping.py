"""Reads metrics as Prometheus does."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from trunkline.testing import Gateway

Samples = dict[tuple[str, ...], float]
_ORDER = ("of", "service_type", "verb", "status", "le")


def scrape(gateway: Gateway, client: str = "127.0.0.1") -> str:
    """Ask a gateway inside this process, from an address."""
    reply = TestClient(gateway.app, client=(client, 5000)).get("/metrics")
    assert reply.status_code == 200, reply.text
    return reply.text


def samples(text: str, name: str) -> Samples:
    """Read the samples of one name, by the values of their labels."""
    return {
        tuple(one.labels[label] for label in _ORDER if label in one.labels): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == name
    }
