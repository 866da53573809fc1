"""The type amqp: publishing, and taking messages from queues."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from trunkline import Field, Secret
from trunkline.errors import BadRequest, NotFound
from trunkline_amqp.reading import Consuming, consuming_of, exchange_of, message_of, queue_of, routing_keys_of
from trunkline_messaging import Inbox, Incoming, MessagingConfig, MessagingService
from trunkline_messaging.endpoint import endpoint_of
from trunkline_messaging.errors import unavailable
from trunkline_messaging.kept import Kept
from trunkline_messaging.service import ENDPOINT

if TYPE_CHECKING:
    from aio_pika.abc import AbstractConnection

    from trunkline.app import App
    from trunkline.db.records import ServiceRecord
    from trunkline_amqp.connection import Publisher

_NO_KEY = "No routing key provided for exchange that is NOT of type fanout."
_WHERE = {
    "queue": {"description": "Its name, or an object with name and flags of the declaration."},
    "exchange": {"description": "Its name, or an object with name, type and flags of the declaration."},
    "routing_key": {
        "description": "One, or several of them.",
        "type": ["string", "array"],
        "items": {"type": "string"},
    },
}


class AmqpConfig(MessagingConfig):
    """Configuration of AMQP (connectors 7.2)."""

    host: str = Field(title="Broker Host", description="Name or address of the broker.", min_length=1)
    port: int = Field(default=5672, ge=1, le=65535, title="Broker Port", description="Its port.")
    username: str | None = Field(default=None, title="Username", description="Who logs in; `guest` unless given.")
    password: Secret | None = Field(default=None, title="Password", description="The password of that login.")
    vhost: str | None = Field(default="/", title="Virtual Host", description="The virtual host of the broker.")


class _Publishing(Kept["Publisher"]):
    """The connection through which a worker publishes."""

    def __init__(self, config: AmqpConfig) -> None:
        super().__init__(config.timeout)
        self._config = config

    async def open(self) -> Publisher:
        from trunkline_amqp.connection import Publisher, connected

        return Publisher(await connected(self._config))

    def stands(self, connection: Publisher) -> bool:
        return not connection.is_lost

    async def shut(self, connection: Publisher) -> None:
        from trunkline_amqp.connection import shut

        await shut(connection.connection)


class Amqp(MessagingService):
    """A virtual host of a broker."""

    label = "AMQP Client"
    description = "Publishes to an AMQP broker such as RabbitMQ, and calls services for the messages of its queues."
    config: AmqpConfig
    message_schema: ClassVar = {
        "type": "object",
        "required": ["message"],
        "properties": {"message": {"description": "Text, or an object with body and properties."}, **_WHERE},
    }
    subscription_schema: ClassVar = {
        "type": "object",
        "required": ["service"],
        "properties": {
            **_WHERE,
            "qos": {"type": "object", "properties": {"prefetch_count": {"type": "integer"}}},
            "service": ENDPOINT,
        },
    }

    def __init__(self, app: App, record: ServiceRecord, config: AmqpConfig) -> None:
        """Connect to nothing yet."""
        super().__init__(app, record, config)
        self._publishing = _Publishing(config)

    async def publish(self, body: Any) -> None:
        """Publish to an exchange, or to a queue by the broker's own (connectors 7.2)."""
        if not isinstance(body, dict) or not body:
            raise BadRequest("Invalid or no data provided for publishing.")
        message = message_of(body, self.config.username or "guest")
        queue, exchange, keys = queue_of(body), exchange_of(body), routing_keys_of(body)
        if exchange is None and queue is None:
            raise BadRequest("No topic/queue/exchange provided for message publishing.")
        key = keys[0] if keys else ""
        if exchange is not None and exchange.kind != "fanout":
            key = queue.name if queue is not None and queue.name else key
            if not key and exchange.kind != "headers":
                raise BadRequest(_NO_KEY)
            queue = None
        async with self._publishing.using() as publisher:
            await publisher.send(message, queue, exchange, key)

    def items(self, body: Any) -> list[dict[str, Any]]:
        """Read queues and what to call for their messages."""
        if isinstance(body, dict) and set(body) == {"resource"}:
            body = body["resource"]
        if not body:
            raise BadRequest("No payload provided for subscriber/consumer.")
        found = body if isinstance(body, list) else [body]
        for place, one in enumerate(found):
            where = f"payload[{place}]." if isinstance(body, list) else "payload."
            missing = BadRequest(f"No queue/topic/exchange and/or service information provided in subscription {where}")
            if not isinstance(one, dict) or (queue_of(one) is None and exchange_of(one) is None):
                raise missing
            endpoint_of(one.get("service"), missing)
            consuming_of(one)
        return [dict(one) for one in found]

    def jobs(self, items: Sequence[dict[str, Any]]) -> list[Any]:
        """Answer a job for each item."""
        return list(items)

    def nothing_subscribed(self) -> None:
        """Say that there is nothing to end."""
        raise NotFound("Could not find any subscription job(s) to delete.")

    async def listen(self, inbox: Inbox) -> None:
        """Take the messages of all items, each queue's one after the other."""
        from trunkline_amqp.connection import connected, shut, translated

        connection = await connected(self.config)
        try:
            with translated():
                async with asyncio.TaskGroup() as group:
                    for place, one in enumerate(inbox.subscriptions):
                        group.create_task(self._consume(connection, inbox, place, one.item))
        except* Exception as group_error:
            raise group_error.exceptions[0] from None
        finally:
            await shut(connection)

    async def _consume(self, connection: AbstractConnection, inbox: Inbox, place: int, item: Mapping[str, Any]) -> None:
        """Take messages until the connection is lost: then it raises."""
        from trunkline_amqp.connection import channel_of, translated

        how = consuming_of(item)
        with translated():
            async with channel_of(connection) as channel:
                await channel.set_qos(prefetch_count=how.prefetch_count, prefetch_size=how.prefetch_size)
                queue = await _bound(channel, how)
                options = {"no_ack": how.no_ack, "exclusive": how.exclusive, "consumer_tag": how.consumer_tag}
                async with queue.iterator(arguments=dict(how.arguments) or None, **options) as messages:
                    async for message in messages:
                        incoming = Incoming(message.body, message.message_id or None, bool(message.redelivered))
                        taken = await inbox.take(incoming, place)
                        if how.no_ack:
                            continue
                        # What was given up goes to where the queue sends its dead letters, if anywhere.
                        await (message.ack() if taken else message.reject(requeue=False))
        raise unavailable("The connection to the broker was lost.")

    async def close(self) -> None:
        """Let go of the connection."""
        await self._publishing.close()


async def _bound(channel: Any, how: Consuming) -> Any:
    """Declare the queue and, where there is an exchange, bind it once for each routing key."""
    from trunkline_amqp.connection import exchange_on, queue_on

    queue = await queue_on(channel, how.queue)
    if how.exchange is not None:
        exchange = await exchange_on(channel, how.exchange)
        for key in how.routing_keys or ("",):
            await queue.bind(exchange, key)
    return queue
