"""MessagingService: what every messaging service does; a connector says how messages go and come."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from trunkline import Config, Field, Resource, Service
from trunkline.describe import SUCCESS, Operation, Schema, list_of
from trunkline.errors import NotFound
from trunkline.threads import in_thread
from trunkline_messaging import subscriptions
from trunkline_messaging.subscriptions import Owner

if TYPE_CHECKING:
    from trunkline.call import Call, Caller
    from trunkline.describe import Description
    from trunkline_messaging.delivery import Inbox


class MessagingConfig(Config):
    """The settings that all messaging services have; they stand last, as clients have always known the others."""

    extensions: ClassVar[tuple[str, ...]] = ("timeout",)

    timeout: int = Field(
        default=10, ge=1, le=300, title="Timeout", description="Seconds that a request may wait for the broker."
    )

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Render the fields, the extensions at the end."""
        return sorted(super().schema_entries(), key=lambda entry: entry["name"] in cls.extensions)


ENDPOINT: Schema = {
    "description": "What is called for each message: the path of a service, or an object that says more.",
    "type": ["string", "object"],
    "properties": {
        "endpoint": {"type": "string", "description": "The path below `/api/v2`."},
        "verb": {"type": "string", "default": "POST"},
        "parameter": {"type": "object", "description": "The query."},
        "header": {"type": "object"},
        "payload": {"type": "object", "description": "The body, to which `message` is added."},
    },
}
_JOBS = {
    "type": "array",
    "items": {"type": "object", "properties": {"sub": {}, "attempted": {"type": "integer"}}},
}


class Publishing(Resource):
    """Publishing messages."""

    name = "pub"
    label = "Publish"
    description = "Sends messages to the broker."
    service: MessagingService

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Publish a message; the answer comes when the broker has confirmed it."""
        _refuse(call, rest)
        await self.service.publish(call.body)
        return {"success": True}

    async def openapi(self, caller: Caller, described: Description, *, expanded: bool = False) -> None:
        """Describe the call as the service says."""
        await super().openapi(caller, described, expanded=expanded)
        words = "Publish a message; the answer comes when the broker has confirmed it."
        operation = Operation(words, "Message", body=self.service.message_schema, reply=SUCCESS)
        _replace(described, self.path_name, {"POST": operation})


class Subscribing(Resource):
    """What is subscribed."""

    name = "sub"
    label = "Subscribe"
    description = "Calls services for the messages that come."
    service: MessagingService

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List what is subscribed."""
        _refuse(call, rest)
        found = await self.app.database.aread(lambda c: subscriptions.all_of(c, self.service.record.id))
        if not found:
            raise NotFound("Did not find any subscribed topic(s)/queue(s). Subscription job may not be running.")
        attempted = await self.app.database.aread(lambda c: subscriptions.attempts(c, self.service.record.id))
        return [{"sub": one, "attempted": attempted} for one in self.service.jobs([one.item for one in found])]

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Subscribe: from now on each message calls a service in the name of who asks this."""
        _refuse(call, rest)
        items = self.service.items(call.body)
        await in_thread(subscriptions.add, self.app, self.service.record.id, items, Owner.of(call.caller))
        return {"success": True, "job_count": len(self.service.jobs(items))}

    async def delete(self, call: Call, rest: tuple[str, ...]) -> Any:
        """End all subscriptions of this service."""
        _refuse(call, rest)
        if not await in_thread(subscriptions.remove, self.app, self.service.record.id):
            self.service.nothing_subscribed()
        return {"success": True}

    async def openapi(self, caller: Caller, described: Description, *, expanded: bool = False) -> None:
        """Describe the calls as the service says."""
        await super().openapi(caller, described, expanded=expanded)
        one = self.service.subscription_schema
        count = {**SUCCESS, "properties": {"success": {"type": "boolean"}, "job_count": {"type": "integer"}}}
        operations = {
            "GET": Operation("List what is subscribed.", "Subscriptions", reply=_JOBS),
            "POST": Operation(
                "Subscribe: from now on each message calls a service in your name.",
                "Subscriptions",
                body={"oneOf": [one, {"type": "array", "items": one}, list_of(one)]},
                reply=count,
            ),
            "DELETE": Operation("End all subscriptions.", "Subscriptions", reply=SUCCESS),
        }
        _replace(described, self.path_name, operations)


class MessagingService(Service):
    """Publishes, and listens for messages; subclasses say how."""

    group = "IoT"
    resources = (Publishing, Subscribing)
    # What is posted to ``pub``, and one thing that is posted to ``sub``.
    message_schema: ClassVar[Schema] = {}
    subscription_schema: ClassVar[Schema] = {}
    config: MessagingConfig

    @abstractmethod
    async def publish(self, body: Any) -> None:
        """Publish what was posted; returns when the broker has confirmed it.

        Raises BadRequest for what is no message, Unavailable, BadGateway or GatewayTimeout where it is not confirmed.
        """

    @abstractmethod
    def items(self, body: Any) -> list[dict[str, Any]]:
        """Read what is to be subscribed, one item each; raises BadRequest."""

    @abstractmethod
    def jobs(self, items: Sequence[dict[str, Any]]) -> list[Any]:
        """Answer what ``sub`` lists of items, one for each job."""

    @abstractmethod
    async def listen(self, inbox: Inbox) -> None:
        """Hand every message to the inbox and acknowledge it after that, until cancelled.

        Raises when the connection is lost or cannot be had: it is called again. Connections are those of this call,
        as the service may be closed meanwhile.
        """

    async def unsubscribe(self, _held: Sequence[str]) -> None:
        """Have the broker drop what it keeps for this service, when nothing is subscribed any more; may raise."""

    def nothing_subscribed(self) -> None:
        """Do what is due when subscriptions are ended that are not there; nothing unless a type raises."""


def _refuse(call: Call, rest: tuple[str, ...]) -> None:
    if rest:
        raise NotFound(f"Resource '{'/'.join(call.path)}' not found for service '{call.service}'.")


def _replace(described: Description, path: str, operations: dict[str, Operation]) -> None:
    from dataclasses import replace

    for place, one in enumerate(described.paths):
        if one.path == path:
            described.paths[place] = replace(one, operations={**one.operations, **operations})
