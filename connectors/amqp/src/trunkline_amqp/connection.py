"""A connection to an AMQP broker: declarations, confirmed publishing, and what its errors mean."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aio_pika
from aio_pika import exceptions
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractQueue
from aiormq.exceptions import (
    ChannelAccessRefused,
    ChannelLockedResource,
    ChannelPreconditionFailed,
    ConnectionNotAllowed,
)  # fmt: skip

from trunkline.errors import BadGateway, BadRequest, Conflict, Forbidden, NotFound, TrunklineError
from trunkline_amqp.reading import Exchange, Message, Queue
from trunkline_messaging.errors import lost, refused_login, too_slow, unavailable

if TYPE_CHECKING:
    from trunkline_amqp.service import AmqpConfig

log = logging.getLogger(__name__)
# Seconds without a word after which either side takes the connection for lost.
_HEARTBEAT = 20


class Unrouted(Exception):
    """The queue or exchange is not there any more."""


async def connected(config: AmqpConfig) -> AbstractConnection:
    """Connect and log in; raises the typed errors."""
    with translated():
        return await aio_pika.connect(
            host=config.host,
            port=config.port,
            login=config.username or "guest",
            password=config.password.get_secret_value() if config.password else "guest",
            virtualhost=config.vhost or "/",
            timeout=config.timeout,
            heartbeat=_HEARTBEAT,
        )


async def shut(connection: AbstractConnection, seconds: float = 2.0) -> None:
    """Close a connection, as far as the other side lets us within the time."""
    with suppress(Exception):
        async with asyncio.timeout(seconds):
            await connection.close()


class Publisher:
    """One connection with a channel for each exchange: an error closes the channel, and others do not suffer."""

    def __init__(self, connection: AbstractConnection) -> None:
        """Take over a connection."""
        self.connection = connection
        # The library's own word for it tells only of connections that we closed.
        self.is_lost = connection.is_closed
        connection.close_callbacks.add(self._lost)
        self._exchanges: dict[str, asyncio.Task[tuple[AbstractChannel, AbstractExchange]]] = {}
        self._declared: dict[str, Queue | Exchange] = {}
        self._declaring = asyncio.Lock()

    def _lost(self, *_: Any) -> None:
        self.is_lost = True

    async def send(self, message: Message, queue: Queue | None, exchange: Exchange | None, routing_key: str) -> None:
        """Publish, and wait for the broker's confirmation. What was declared before is only declared again if gone."""
        try:
            await self._send(message, queue, exchange, routing_key)
        except Unrouted:
            for one in (queue, exchange):
                if one is not None:
                    self._declared.pop(f"{type(one).__name__} {one.name}", None)
            try:
                await self._send(message, queue, exchange, routing_key)
            except Unrouted as error:
                raise unavailable("The broker lost the queue or exchange while it was published to.") from error

    async def _send(self, message: Message, queue: Queue | None, exchange: Exchange | None, routing_key: str) -> None:
        if exchange is not None:
            await self._declare(exchange)
        if queue is not None:
            routing_key = await self._declare(queue)
        name = exchange.name if exchange is not None else ""
        with translated(unrouted=True):
            target = await self._exchange(name)
            # To a queue that is gone the broker would confirm the message and drop it.
            await target.publish(_message(message), routing_key, mandatory=not name)

    async def _declare(self, one: Queue | Exchange) -> str:
        """Have the broker know a queue or exchange; answer its name, which the broker may have chosen."""
        known = f"{type(one).__name__} {one.name}"
        if self._declared.get(known) == one:
            return one.name
        async with self._declaring:
            if self._declared.get(known) == one:
                return one.name
            # An error closes the channel that it is on, so this one is nobody else's.
            with translated():
                channel = await self.connection.channel(publisher_confirms=False)
                try:
                    made = await (queue_on(channel, one) if isinstance(one, Queue) else exchange_on(channel, one))
                finally:
                    with suppress(Exception):
                        await channel.close()
            # A queue without a name is another one each time, and a passive declaration only asks.
            if one.name and not one.passive:
                self._declared[known] = one
            return made.name

    async def _exchange(self, name: str) -> AbstractExchange:
        """Answer an exchange on a channel that confirms and tells of what it cannot route."""
        opening = self._exchanges.get(name)
        if opening is not None and opening.done():
            usable = not opening.cancelled() and opening.exception() is None
            if not usable or opening.result()[0].is_closed:
                opening = None
        if opening is None:
            opening = self._exchanges[name] = asyncio.create_task(self._opened(name))
        return (await asyncio.shield(opening))[1]

    async def _opened(self, name: str) -> tuple[AbstractChannel, AbstractExchange]:
        channel = await self.connection.channel(publisher_confirms=True, on_return_raises=True)
        return channel, channel.default_exchange if not name else await channel.get_exchange(name, ensure=False)


def _message(one: Message) -> aio_pika.Message:
    return aio_pika.Message(
        one.body,
        delivery_mode=aio_pika.DeliveryMode(one.delivery_mode),
        priority=one.priority,
        expiration=None if one.expiration is None else one.expiration / 1000,
        timestamp=None if one.timestamp is None else datetime.fromtimestamp(one.timestamp, UTC),
        **one.texts,  # type: ignore[arg-type]  # the names of texts are those of its parameters
    )


async def queue_on(channel: AbstractChannel, one: Queue) -> AbstractQueue:
    """Declare a queue."""
    return await channel.declare_queue(
        one.name or None,
        durable=one.durable,
        exclusive=one.exclusive,
        passive=one.passive,
        auto_delete=one.auto_delete,
        arguments=dict(one.arguments),
    )


async def exchange_on(channel: AbstractChannel, one: Exchange) -> AbstractExchange:
    """Declare an exchange."""
    return await channel.declare_exchange(
        one.name,
        one.kind,
        durable=one.durable,
        auto_delete=one.auto_delete,
        internal=one.internal,
        passive=one.passive,
        arguments=dict(one.arguments),
    )


@contextmanager
def translated(*, unrouted: bool = False) -> Iterator[None]:
    """Turn the library's errors into typed ones, without the broker's words, which name hosts and queues (D10).

    Where ``unrouted``, what is not there any more raises Unrouted.
    """
    try:
        yield
    except exceptions.PublishError as error:
        raise Unrouted from error
    except exceptions.DeliveryError as error:
        raise unavailable("The broker did not take the message.") from error
    except exceptions.ChannelNotFoundEntity as error:
        if unrouted:
            raise Unrouted from error
        raise NotFound("The broker has no such queue or exchange.") from error
    except exceptions.ChannelClosed as error:
        raise _of_channel(error) from error
    except (exceptions.AuthenticationError, exceptions.ProbableAuthenticationError) as error:
        raise refused_login() from error
    except exceptions.ConnectionClosed as error:
        raise _of_connection(error) from error
    except exceptions.IncompatibleProtocolError as error:
        raise BadGateway("What answers is no AMQP broker.") from error
    except TimeoutError as error:
        raise too_slow() from error
    except (exceptions.AMQPError, OSError, RuntimeError) as error:
        raise (lost() if unrouted else unavailable()) from error
    except ValueError as error:
        raise BadRequest("The broker does not take such a message or declaration.") from error


def _of_channel(error: Exception) -> TrunklineError:
    if isinstance(error, ChannelAccessRefused):
        return Forbidden("The broker does not permit this.")
    if isinstance(error, ChannelPreconditionFailed | ChannelLockedResource):
        return Conflict("The broker has such a queue or exchange that was declared in another way, or is not free.")
    return lost()


def _of_connection(error: Exception) -> TrunklineError:
    if isinstance(error, ConnectionNotAllowed):
        return BadGateway("The broker does not permit the virtual host.")
    return unavailable()


@asynccontextmanager
async def channel_of(connection: AbstractConnection) -> AsyncIterator[AbstractChannel]:
    """Use a channel of one's own."""
    channel: Any = await connection.channel(publisher_confirms=False)
    try:
        yield channel
    finally:
        with suppress(Exception):
            await channel.close()
