"""What clients post: queues, exchanges, routing keys, messages (connectors 7.2)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trunkline import json
from trunkline.call import truth
from trunkline.errors import BadRequest

_LONGEST = 255
_ROUTING = ("routing_key", "routing_keys", "routing", "binding_key", "binding_keys", "binding")
_TEXTS = ("content_type", "content_encoding", "correlation_id", "reply_to", "message_id", "type", "user_id", "app_id")
_PERSISTENT = 2
# Messages that the broker may send ahead, unless a subscription says otherwise.
_PREFETCHED = 16


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue, and how it is declared; without a name the broker chooses one."""

    name: str
    passive: bool = False
    durable: bool = False
    exclusive: bool = False
    auto_delete: bool = True
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange, and how it is declared."""

    name: str
    kind: str = "fanout"
    passive: bool = False
    durable: bool = False
    auto_delete: bool = True
    internal: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A message with the properties that AMQP has for it; ``expiration`` in milliseconds."""

    body: bytes
    texts: Mapping[str, str]
    delivery_mode: int
    priority: int | None
    expiration: int | None
    timestamp: int | None


def queue_of(given: Mapping[str, Any]) -> Queue | None:
    """Read the queue, by either of its words; None where there is none."""
    value = given.get("topic") if given.get("topic") not in (None, "") else given.get("queue")
    if value is None or isinstance(value, str):
        return None if value is None else Queue(_name(value))
    if not isinstance(value, dict):
        raise BadRequest("A queue must be a name or an object.")
    flags = {one: truth(value[one]) for one in ("passive", "durable", "exclusive", "auto_delete") if one in value}
    return Queue(_name(value.get("name") or ""), arguments=_arguments(value), **flags)


def exchange_of(given: Mapping[str, Any]) -> Exchange | None:
    """Read the exchange; None where there is none, which means the broker's own."""
    value = given.get("exchange")
    if value in (None, "", {}, []):
        return None
    if isinstance(value, str):
        return Exchange(_name(value))
    if not isinstance(value, dict) or not value.get("name"):
        raise BadRequest("An exchange must be a name or an object with one.")
    flags = {one: truth(value[one]) for one in ("passive", "durable", "auto_delete", "internal") if one in value}
    kind = str(value.get("type") or "fanout")
    return Exchange(_name(value["name"]), kind, arguments=_arguments(value), **flags)


def routing_keys_of(given: Mapping[str, Any]) -> list[str]:
    """Read the routing keys, by any of their words."""
    value: Any = next((given[one] for one in _ROUTING if given.get(one) not in (None, "", [])), [])
    return [_name(one) for one in (value if isinstance(value, list) else [value])]


def message_of(given: Mapping[str, Any], username: str) -> Message:
    """Read the message; raises BadRequest for properties for which the broker would close the channel."""
    value = given.get("message", given.get("msg"))
    if value in (None, ""):
        raise BadRequest("No message provided in data to publish.")
    properties: Mapping[str, Any] = {}
    if isinstance(value, dict):
        properties = value
        value = next((value[one] for one in ("body", "message", "msg") if value.get(one) is not None), None)
        if value is None:
            raise BadRequest("No message body provided in message data object.")
    is_text = isinstance(value, str)
    texts = {"content_type": "text/plain" if is_text else "application/json", "message_id": secrets.token_hex(16)}
    texts |= {one: _short(one, properties[one]) for one in _TEXTS if properties.get(one) not in (None, "")}
    if texts.get("user_id", username) != username:
        raise BadRequest("The property 'user_id' must be the user of this service.")
    return Message(
        value.encode() if is_text else json.dumps(value),
        texts,
        _number(properties, "delivery_mode", 1, 2) or _PERSISTENT,
        _number(properties, "priority", 0, 255),
        _number(properties, "expiration", 0, 2**32 - 1),
        _number(properties, "timestamp", 0, 2**40),
    )


def _number(properties: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = properties.get(name)
    if value in (None, ""):
        return None
    if isinstance(value, bool) or not str(value).isdecimal() or not least <= int(str(value)) <= most:
        raise BadRequest(f"The property '{name}' must be a number from {least} to {most}.")
    return int(str(value))


def _short(name: str, value: Any) -> str:
    if not isinstance(value, str | int | float) or len(str(value).encode("utf-8", "replace")) > _LONGEST:
        raise BadRequest(f"The property '{name}' must be text of at most {_LONGEST} bytes.")
    return str(value)


def _name(value: Any) -> str:
    if not isinstance(value, str) or len(value.encode("utf-8", "replace")) > _LONGEST:
        raise BadRequest(f"Names of queues, exchanges and routing keys are text of at most {_LONGEST} bytes.")
    return value


def _arguments(value: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = next((value[one] for one in ("arguments", "argument") if value.get(one) not in (None, [])), {})
    if not isinstance(found, dict):
        raise BadRequest("The arguments of a declaration must be an object.")
    return found


@dataclass(frozen=True, slots=True)
class Consuming:
    """How messages are taken from a queue."""

    queue: Queue
    exchange: Exchange | None
    routing_keys: tuple[str, ...]
    prefetch_size: int = 0
    prefetch_count: int = _PREFETCHED
    consumer_tag: str | None = None
    no_ack: bool = False
    exclusive: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


def consuming_of(item: Mapping[str, Any]) -> Consuming:
    """Read how an item of a subscription takes its messages."""
    queue, exchange, keys = queue_of(item), exchange_of(item), tuple(routing_keys_of(item))
    if queue is None and exchange is None:
        raise BadRequest("No queue/topic/exchange and/or service information provided in subscription payload.")
    qos = item.get("qos") or {}
    if not isinstance(qos, dict):
        raise BadRequest("The member 'qos' must be an object.")
    size = _number(qos, "prefetch_size", 0, 2**32 - 1)
    count = _number(qos, "prefetch_count", 0, 65535)
    return Consuming(
        queue or Queue(""),
        exchange,
        keys,
        size or 0,
        _PREFETCHED if count is None else count,
        _name(item["consumer_tag"]) if item.get("consumer_tag") else None,
        truth(item.get("no_ack", False)),
        truth(item.get("exclusive", False)),
        _arguments(item),
    )
