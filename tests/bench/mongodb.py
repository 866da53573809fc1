"""Documents: requests per second of Trunkline beside a hand-written route over the same driver, on one worker."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bench.load import Asked
from bench.stand import APP_KEY, Contender, median_of, rounds, serving

# At least this much of the hand-written route's rate.
LEAST = 0.7
_CONNECTIONS, _TURNS = 8, 3
# How many documents a request reads → how many requests.
_REQUESTS = {1: 1600, 25: 240, 1000: 48}


def main(server: str) -> bool:
    """Measure; answer whether the target holds."""
    # These are modules of the tests, which find each other as pytest's do.
    pytest.register_assert_rewrite("servers", "mongo_servers")
    import mongo_servers
    import servers

    from trunkline.testing import Gateway
    from trunkline.testing.fixtures import settings_for

    with tempfile.TemporaryDirectory() as name, servers.serving(mongo_servers.Secantus) as database:
        config, storage = database.new_config(), Path(name) / "storage"
        first = _filled(config)
        with Gateway(settings_for(storage)) as gateway:
            gateway.create_service("shop", "mongodb", config)
            role = gateway.create_role([{"service": "shop", "component": "_table/*", "verb_mask": 1}])
            key = gateway.create_app(role)["api_key"]
        ours = {"TRUNKLINE_STORAGE": str(storage), "APP_KEY": APP_KEY}
        theirs = {"BENCH_KEY": key, "BENCH_MONGODB": json.dumps(config)}
        headers = {"X-DreamFactory-Api-Key": key}
        with (
            serving(server, "trunkline.asgi:app", ours) as (our_process, our_port),
            serving(server, "bench.plain_mongodb:app", theirs) as (their_process, their_port),
        ):
            mine = Contender("Trunkline", our_process, our_port, headers)
            plain = Contender("hand-written", their_process, their_port, headers)
            print(f"mongodb, {server}: documents from Trunkline / from a hand-written route (least {LEAST})")
            told = [asyncio.run(_case(number, first, (mine, plain))) for number in _REQUESTS]
            return all(told)


def _filled(config: dict[str, Any]) -> str:
    """Fill a collection; answer the id of its first document."""
    import pymongo

    with pymongo.MongoClient[dict[str, Any]](config["host"], config["port"]) as client:
        documents = client[config["database"]]["measure"]
        documents.insert_many(
            {
                "place": f"place {index % 100}", "n": index, "value": index / 7, "ok": index % 3 == 0,
                "at": dt.datetime(2024, 1, 1, index % 24), "tags": ["a", "b"], "size": {"w": index, "h": 2.5},
            }
            for index in range(1000)
        )  # fmt: skip
        found = documents.find_one(sort=[("_id", 1)])
        assert found is not None
        return str(found["_id"])


async def _case(number: int, first: str, contenders: Sequence[Contender]) -> bool:
    mine, plain = contenders
    path = f"/measure/{first}" if number == 1 else f"/measure?limit={number}"
    asked = [(mine, Asked(f"/api/v2/shop/_table{path}")), (plain, Asked(path))]
    measured = await rounds(asked, _REQUESTS[number], _CONNECTIONS, _TURNS)
    cpu = statistics.median(turn[1].cpu / turn[0].cpu for turn in measured)
    rate = statistics.median(turn[0].rate / turn[1].rate for turn in measured)
    ours, theirs = (median_of(measured, place, "rate") for place in (0, 1))
    words = "document " if number == 1 else "documents"
    print(f"  {number:>4} {words}: x{cpu:.2f} per CPU second, x{rate:.2f} by rate ({ours:.0f}/s beside {theirs:.0f}/s)")
    return rate >= LEAST
