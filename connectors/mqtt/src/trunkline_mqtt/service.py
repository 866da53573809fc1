"""The type mqtt: publishing, and listening as one client of the broker, whichever worker does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from trunkline import Field, Secret, json
from trunkline.call import truth
from trunkline.errors import BadRequest
from trunkline_messaging import Inbox, Incoming, MessagingConfig, MessagingService
from trunkline_messaging.endpoint import endpoint_of
from trunkline_messaging.kept import Kept
from trunkline_messaging.service import ENDPOINT
from trunkline_mqtt import topics

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord
    from trunkline_mqtt.client import Connection

_BAD = BadRequest("Bad payload supplied. Could not find proper topic and/or service information in the payload.")
_NOTHING = BadRequest("No topic and/or message supplied for publishing.")


class MqttConfig(MessagingConfig):
    """Configuration of MQTT (connectors 7.1)."""

    extensions: ClassVar = ("version", "timeout")

    host: str = Field(title="Broker Host", description="Name or address of the broker.", min_length=1)
    port: int = Field(default=1883, ge=1, le=65535, title="Broker Port", description="Its port.")
    client_id: str = Field(
        title="Client ID",
        description="Name of the client that listens, which no other client of the broker may have.",
        min_length=1,
    )
    username: str | None = Field(default=None, title="Username", description="Who logs in; empty for nobody.")
    password: Secret | None = Field(default=None, title="Password", description="The password of that login.")
    use_tls: bool = Field(default=False, title="Use TLS", description="Whether the connection is encrypted.")
    capath: str | None = Field(
        default="/etc/ssl/certs",
        title="CA Certificate Path",
        description="Folder, or file, with the certificates of the authorities that are trusted.",
    )
    version: Literal["3.1.1", "5"] = Field(
        default="3.1.1", title="Version", description="Version of the protocol; 5 tells more of what is refused."
    )


class _Publisher(Kept["Connection"]):
    """The connection through which a worker publishes."""

    def __init__(self, config: MqttConfig) -> None:
        super().__init__(config.timeout)
        self._config = config

    async def open(self) -> Connection:
        from trunkline_mqtt.client import connected

        return await connected(self._config, listens=False)

    def stands(self, connection: Connection) -> bool:
        return not connection.is_lost

    async def shut(self, connection: Connection) -> None:
        connection.cut()


class Mqtt(MessagingService):
    """A broker, for which this service is one client that listens and others that publish."""

    label = "MQTT Client"
    description = "Publishes to an MQTT broker, and calls services for the messages that come from it."
    config: MqttConfig
    message_schema: ClassVar = {
        "type": "object",
        "required": ["topic", "message"],
        "properties": {
            "topic": {"type": "string"},
            "message": {"description": "Text, or what is sent as JSON."},
            "qos": {"type": "integer", "enum": [0, 1, 2], "default": 1},
            "retain": {"type": "boolean", "default": True},
        },
    }
    subscription_schema: ClassVar = {
        "type": "object",
        "required": ["topic", "service"],
        "properties": {
            "topic": {"type": "string", "description": "May have the wildcards + and #."},
            "service": ENDPOINT,
        },
    }

    def __init__(self, app: App, record: ServiceRecord, config: MqttConfig) -> None:
        """Connect to nothing yet."""
        super().__init__(app, record, config)
        self._publisher = _Publisher(config)

    async def publish(self, body: Any) -> None:
        """Publish with the quality that was asked for, by default at least once, retained (connectors 7.1)."""
        given = body if isinstance(body, dict) else {}
        topic, message = given.get("topic"), given.get("message", given.get("msg"))
        if topic in (None, "") or message is None:
            raise _NOTHING
        if not topics.is_topic(topic):
            raise BadRequest("The topic is none: it must be text without wildcards.")
        qos = given.get("qos", 1)
        if isinstance(qos, bool) or str(qos) not in ("0", "1", "2"):
            raise BadRequest("The member 'qos' must be 0, 1 or 2.")
        payload = message if isinstance(message, str) else json.dumps(message)
        async with self._publisher.using() as connection:
            await connection.send(str(topic), payload, int(qos), retain=truth(given.get("retain", True)))

    def items(self, body: Any) -> list[dict[str, Any]]:
        """Read topics and what to call for them."""
        if isinstance(body, dict) and set(body) == {"resource"}:
            body = body["resource"]
        found = body if isinstance(body, list) else [body]
        if not found:
            raise _BAD
        for one in found:
            if not isinstance(one, dict) or not topics.is_filter(one.get("topic")):
                raise _BAD
            endpoint_of(one.get("service"), _BAD)
        filters = sorted({one["topic"] for one in found})
        for place, one in enumerate(filters):
            for other in filters[place + 1 :]:
                # A broker may send what fits both twice, and nothing would tell that it is the same.
                if topics.overlap(one, other):
                    raise BadRequest(f"The topics '{one}' and '{other}' overlap: messages would come twice.")
        return [{"topic": one["topic"], "service": one["service"]} for one in found]

    def jobs(self, items: Sequence[dict[str, Any]]) -> list[Any]:
        """Answer one job, which has all topics."""
        return [list(items)]

    async def listen(self, inbox: Inbox) -> None:
        """Be the client that the broker keeps the session of, and take what comes one after the other."""
        from trunkline_mqtt.client import connected

        connection = await connected(self.config, listens=True, clean=False)
        try:
            await self._subscribe(connection, inbox)
            filters = [one.item["topic"] for one in inbox.subscriptions]
            async for message in connection.arriving():
                places = [place for place, one in enumerate(filters) if topics.matches(one, message.topic)]
                identity = f"{message.mid} {message.topic}" if message.qos else None
                if places:
                    await inbox.take(Incoming(bytes(message.payload), identity, bool(message.dup)), *places)
                connection.acknowledge(message)
        finally:
            connection.cut()

    async def _subscribe(self, connection: Connection, inbox: Inbox) -> None:
        """Have the broker know the topics of now and no others."""
        wanted = sorted({one.item["topic"] for one in inbox.subscriptions})
        held = inbox.held if connection.session_present else ()
        if not connection.session_present:
            # The broker numbers its messages anew, so numbers say nothing of those before.
            await inbox.forget_handled()
        # The empty one says that there may be more: should this worker end here, the session still has to be dropped.
        await inbox.hold([*held, ""])
        if gone := [one for one in held if one and one not in wanted]:
            await connection.unsubscribe(gone)
        # Subscribing again would bring retained messages once more.
        if fresh := [one for one in wanted if one not in held]:
            await connection.subscribe_to(fresh)
        await inbox.hold(wanted)

    async def unsubscribe(self, _held: Sequence[str]) -> None:
        """Have the broker forget the session, with all that waits in it."""
        from trunkline_mqtt.client import connected

        (await connected(self.config, listens=True)).cut()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._publisher.close()
