"""Messages out: requests per second of Trunkline beside a hand-written route over the same library, on one worker."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from bench.load import Asked
from bench.stand import APP_KEY, Contender, median_of, rounds, serving

# At least this much of the rate of the hand-written route, and this many messages a second.
LEAST, LEAST_RATE = 0.7, 1000
_REQUESTS, _CONNECTIONS, _TURNS = 4000, 32, 5
# Nobody takes the messages, so the broker is to drop all but the latest.
_QUEUE = {"name": "bench", "durable": True, "auto_delete": False, "arguments": {"x-max-length": 1000}}
_BODIES = {
    "mqtt": {"topic": "bench", "message": "a small message"},
    "amqp": {"queue": _QUEUE, "message": "a small message"},
}
_NAMES = {"mqtt": "Mosquitto", "amqp": "RabbitMQ"}


def main(server: str) -> bool:
    """Measure; answer whether the targets hold."""
    # These are modules of the tests, which find each other as pytest's do.
    pytest.register_assert_rewrite("servers", "brokers")
    import brokers
    import servers

    from trunkline.testing import Gateway
    from trunkline.testing.fixtures import settings_for

    with (
        tempfile.TemporaryDirectory() as name,
        servers.serving(brokers.ForgetfulMosquitto) as mosquitto,
        servers.serving(brokers.RabbitMQ) as rabbitmq,
    ):
        configs = {"mqtt": mosquitto.new_config(), "amqp": rabbitmq.new_config()}
        storage = Path(name) / "storage"
        with Gateway(settings_for(storage)) as gateway:
            for kind, config in configs.items():
                gateway.create_service(kind, kind, config)
            rows = [{"service": kind, "component": "pub", "verb_mask": 2} for kind in configs]
            key = gateway.create_app(gateway.create_role(rows))["api_key"]
        ours = {"TRUNKLINE_STORAGE": str(storage), "APP_KEY": APP_KEY}
        theirs = {"BENCH_KEY": key, "BENCH_BROKERS": json.dumps(configs)}
        headers = {"X-DreamFactory-Api-Key": key}
        with (
            serving(server, "trunkline.asgi:app", ours) as (our_process, our_port),
            serving(server, "bench.plain_messaging:app", theirs) as (their_process, their_port),
        ):
            mine = Contender("Trunkline", our_process, our_port, headers)
            plain = Contender("hand-written", their_process, their_port, headers)
            words = f"(least {LEAST}, {LEAST_RATE}/s)"
            print(f"messaging, {server}: messages a second of Trunkline / hand-written {words}")
            told = [asyncio.run(_case(kind, (mine, plain))) for kind in _BODIES]
            return all(told)


async def _case(kind: str, contenders: Sequence[Contender]) -> bool:
    mine, plain = contenders
    body = _BODIES[kind]
    asked = [(mine, Asked(f"/api/v2/{kind}/pub", "POST", body)), (plain, Asked(f"/{kind}", "POST", body))]
    measured = await rounds(asked, _REQUESTS, _CONNECTIONS, _TURNS)
    ratio = statistics.median(turn[0].rate / turn[1].rate for turn in measured)
    ours, theirs = (median_of(measured, place, "rate") for place in (0, 1))
    print(f"  {_NAMES[kind]:>9}: x{ratio:.2f} ({ours:.0f}/s beside {theirs:.0f}/s)")
    return ratio >= LEAST and ours >= LEAST_RATE
