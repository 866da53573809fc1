"""What messaging services are measured against: a hand-written route over the same library, with one API key."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator

import aio_pika
import aiomqtt
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_KEYS = {os.environ["BENCH_KEY"]}
_BROKERS = json.loads(os.environ["BENCH_BROKERS"])


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    mqtt, amqp = _BROKERS["mqtt"], _BROKERS["amqp"]
    login = {"username": mqtt["username"], "password": mqtt["password"]}
    async with aiomqtt.Client(mqtt["host"], mqtt["port"], **login) as client:
        client.pending_calls_threshold = 1000
        login = {"login": amqp["username"], "password": amqp["password"]}
        async with await aio_pika.connect(host=amqp["host"], port=amqp["port"], **login) as connection:
            channel = await connection.channel(publisher_confirms=True)
            await channel.declare_queue("bench", durable=True, arguments={"x-max-length": 1000})
            app.state.mqtt, app.state.exchange = client, channel.default_exchange
            yield


async def _body(request: Request) -> dict[str, object] | None:
    if request.headers.get("x-dreamfactory-api-key") not in _KEYS:
        return None
    return orjson.loads(await request.body())  # type: ignore[no-any-return]  # clients send objects


async def _to_mqtt(request: Request) -> Response:
    if (body := await _body(request)) is None:
        return Response(status_code=401)
    await request.app.state.mqtt.publish(body["topic"], body["message"], qos=1, retain=True)
    return Response(b'{"success":true}', media_type="application/json")


async def _to_amqp(request: Request) -> Response:
    if (body := await _body(request)) is None:
        return Response(status_code=401)
    message = aio_pika.Message(str(body["message"]).encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    async with asyncio.timeout(10):
        await request.app.state.exchange.publish(message, body["queue"]["name"])
    return Response(b'{"success":true}', media_type="application/json")


app = Starlette(
    routes=[Route("/mqtt", _to_mqtt, methods=["POST"]), Route("/amqp", _to_amqp, methods=["POST"])],
    lifespan=_lifespan,
)
