"""Connection: aiomqtt's client with what it keeps to itself and we answer for.

These are whether the broker still had our session, why it refuses a message, that the connection ended while a message
waited for its acknowledgement, whether a message was sent before, and acknowledging one only when its call is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from trunkline.errors import BadGateway, BadRequest, Forbidden, TrunklineError
from trunkline.threads import in_thread
from trunkline_messaging.errors import lost, refused_login, too_slow, unavailable

if TYPE_CHECKING:
    from trunkline_mqtt.service import MqttConfig

log = logging.getLogger(__name__)
# Seconds without a word after which a connection counts as lost, and for connecting a socket.
_KEEPALIVE, _SOCKET = 20, 5.0
_FOR_EVER = 0xFFFFFFFF
# Reason codes (MQTT 5, 2.4).
_FAILURE = 0x80
_BAD_LOGIN = frozenset({0x86, 0x87, 0x8C})
_BUSY = frozenset({0x88, 0x89, 0x97, 0x9F})
_UNWANTED = frozenset({0x90, 0x95, 0x99, 0x9A, 0x9B})


class Connection(aiomqtt.Client):
    """One connection to a broker, which ends for good when it is lost."""

    def __init__(self, config: MqttConfig, identifier: str, tls: ssl.SSLContext | None, *, clean: bool) -> None:
        """Connect to nothing yet; unless ``clean``, the broker keeps the session when the connection ends."""
        is_5 = config.version == "5"
        properties = None
        if is_5 and not clean:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # the library's
            properties.SessionExpiryInterval = _FOR_EVER
        super().__init__(
            config.host,
            config.port,
            identifier=identifier,
            username=config.username or None,
            password=config.password.get_secret_value() if config.password else None,
            protocol=aiomqtt.ProtocolVersion.V5 if is_5 else aiomqtt.ProtocolVersion.V311,
            clean_session=None if is_5 else clean,
            clean_start=clean if is_5 else MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
            keepalive=_KEEPALIVE,
            timeout=config.timeout,
            tls_context=tls,
            logger=log,
        )
        self._client.connect_timeout = min(_SOCKET, config.timeout)
        self._client.manual_ack_set(True)
        self.is_5 = is_5
        self.session_present = False
        self.is_lost = False
        self._unconfirmed: dict[int, asyncio.Future[int]] = {}
        self._incoming: asyncio.Queue[MQTTMessage | None] = asyncio.Queue()

    async def connect(self) -> None:
        """Connect and log in; raises the typed errors."""
        entering = asyncio.create_task(self.__aenter__())
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            # A thread connects, which nothing stops: what it has connected is closed then.
            entering.add_done_callback(self._left_alone)
            raise
        except MqttConnectError as error:
            self.cut()
            raise _refusal(error.rc) from error
        except aiomqtt.MqttError as error:
            self.cut()
            if isinstance(error.__cause__ or error.__context__, ssl.SSLCertVerificationError):
                raise BadGateway("The broker's certificate is not trusted.") from error
            raise (too_slow() if "timed out" in str(error) else unavailable()) from error
        except ValueError as error:
            raise BadGateway("The broker cannot be used as it is configured.") from error

    def _left_alone(self, entering: asyncio.Task[Any]) -> None:
        if not entering.cancelled():
            entering.exception()
        self.cut()

    def cut(self) -> None:
        """End the connection without waiting for anything."""
        self.is_lost = True
        with contextlib.suppress(Exception):
            self._client.disconnect()

    async def send(self, topic: str, payload: str | bytes, qos: int, *, retain: bool) -> None:
        """Publish, and wait for the acknowledgement that the quality has; raises the typed errors."""
        if self.is_lost:
            raise unavailable()
        info = self._client.publish(topic, payload, qos, retain)
        if info.rc:
            raise unavailable()
        if qos == 0:
            return
        confirmed = self._unconfirmed[info.mid] = asyncio.get_running_loop().create_future()
        try:
            code = await confirmed
        finally:
            self._unconfirmed.pop(info.mid, None)
        if code >= _FAILURE:
            raise _refused(code)

    async def subscribe_to(self, filters: Sequence[str]) -> None:
        """Subscribe with acknowledgements; raises Forbidden where the broker does not let us."""
        # Retained messages come with a new subscription only.
        options = SubscribeOptions(qos=1, retainHandling=1)
        wanted: Any = [(one, options if self.is_5 else 1) for one in filters]
        codes: Any = await self.subscribe(wanted)
        if any(getattr(one, "value", one) >= _FAILURE for one in codes):
            raise Forbidden("The broker does not permit the subscription.")

    async def arriving(self) -> AsyncIterator[MQTTMessage]:
        """Yield the messages that come, until the connection is lost: then it raises Unavailable."""
        while (message := await self._incoming.get()) is not None:
            yield message
        raise unavailable("The connection to the broker was lost.")

    def acknowledge(self, message: MQTTMessage) -> None:
        """Tell the broker that a message has been dealt with."""
        if not self.is_lost:
            self._client.ack(message.mid, message.qos)

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any = None) -> None:
        self.session_present = bool(flags.session_present)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any = None) -> None:
        self.is_lost = True
        if not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttError("the broker closed the connection"))
        for one in self._unconfirmed.values():
            if not one.done():
                one.set_exception(lost())
        self._incoming.put_nowait(None)
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
        if self._disconnected.done():
            # Nobody of ours waits for it.
            self._disconnected.exception()

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any) -> None:
        if (waiting := self._unconfirmed.get(mid)) is not None and not waiting.done():
            waiting.set_result(int(reason_code.value))

    def _on_message(self, client: Any, userdata: Any, message: MQTTMessage) -> None:
        self._incoming.put_nowait(message)


def _refusal(code: Any) -> TrunklineError:
    """Choose the error for a broker that refuses the connection."""
    number = int(getattr(code, "value", code))
    if number in _BAD_LOGIN:
        return refused_login()
    return unavailable() if number in _BUSY else BadGateway("The broker refused the connection.")


def _refused(code: int) -> TrunklineError:
    """Choose the error for a broker that refuses a message."""
    if code in _BAD_LOGIN:
        return Forbidden("The broker does not permit to publish there.")
    if code in _UNWANTED:
        return BadRequest("The broker does not take such a message.")
    return unavailable("The broker does not take the message just now.")


async def connected(config: MqttConfig, *, listens: bool, clean: bool = True) -> Connection:
    """Connect: as the configured client where it ``listens``, else as one of its many publishers."""
    identifier = config.client_id if listens else f"{config.client_id}-{secrets.token_hex(4)}"
    tls = await in_thread(_tls, config.capath) if config.use_tls else None
    connection = Connection(config, identifier, tls, clean=clean)
    await connection.connect()
    return connection


class _Closing(ssl.SSLSocket):
    """Closes itself when it cannot be trusted, which the driver leaves to the collector of garbage."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _tls(capath: str | None) -> ssl.SSLContext:
    """Trust the authorities of a folder or file, else those of the system."""
    place = Path(capath) if capath else None
    folder, file = (str(place), None) if place is not None and place.is_dir() else (None, place and str(place))
    try:
        context = ssl.create_default_context(capath=folder, cafile=file)
        context.sslsocket_class = _Closing
        return context
    except (OSError, ssl.SSLError) as error:
        raise BadGateway("The certificates of the authorities cannot be read.") from error
