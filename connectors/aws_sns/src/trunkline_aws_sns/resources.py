"""Topics, subscriptions, applications and endpoints: each is named by its ARN or by what stands behind the account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from trunkline import Resource, json
from trunkline.describe import Operation, Schema
from trunkline.errors import BadRequest, NotFound
from trunkline_aws_sns.describing import (
    APPLICATION,
    ATTRIBUTES,
    ENDPOINT,
    OBJECT,
    PAIR,
    SUBSCRIPTION,
    TOPIC,
    below,
    paths,
)  # fmt: skip

if TYPE_CHECKING:
    from trunkline.call import Call
    from trunkline_aws_sns.connection import Connection
    from trunkline_aws_sns.service import AwsSns

_TARGETS = ("TopicArn", "Topic", "EndpointArn", "Endpoint", "TargetArn")
_OPTIONS = (
    "Subject",
    "MessageStructure",
    "MessageAttributes",
    "PhoneNumber",
    "MessageGroupId",
    "MessageDeduplicationId",
)


async def full(connection: Connection, name: Any) -> str:
    """Answer the ARN of what is named by it or by its end; raises BadRequest for what is no name."""
    if not isinstance(name, str) or not name:
        raise BadRequest("A name or ARN must be text.")
    return name if name.startswith("arn:") else await connection.prefix() + name


def short(arn: str) -> str:
    """Answer what stands behind the account in an ARN."""
    return arn.split(":", 5)[-1] if arn.startswith("arn:") else arn


async def published(connection: Connection, body: Any, target: str | None) -> dict[str, Any]:
    """Send a message to what it names, or to ``target``; raises BadRequest where there is neither."""
    given = body if isinstance(body, dict) else {}
    named = next((given[one] for one in _TARGETS if given.get(one)), None)
    arn = target or (await full(connection, named) if named is not None else None)
    if arn is None and not given.get("PhoneNumber"):
        raise BadRequest("No target for the message: it needs a Topic, TopicArn, Endpoint, EndpointArn or TargetArn.")
    options = {one: given[one] for one in _OPTIONS if given.get(one) not in (None, "")}
    message = given.get("Message")
    if message is None:
        rest = {name: value for name, value in given.items() if name not in (*_TARGETS, *_OPTIONS)}
        message, options = (body if not isinstance(body, dict) else rest or None), dict(options)
    if message in (None, "", [], {}):
        raise BadRequest("No message provided.")
    if not isinstance(message, str):
        message, options["MessageStructure"] = json.dumps(message).decode(), "json"
    if arn is not None:
        is_topic = ":endpoint/" not in arn
        options["TopicArn" if is_topic else "TargetArn"] = arn
    answer = await connection.call("publish", Message=message, **options)
    return {"MessageId": answer["MessageId"]}


class Named(Resource):
    """What all four have: lists with the ARN alone unless more is asked for, and one of them by its name."""

    service: AwsSns
    # The member that names one shortly, the one with its ARN; the operation that lists, and where its answer has them.
    short_name: ClassVar[str]
    arn_name: ClassVar[str]
    lists: ClassVar[str]
    listed: ClassVar[str]
    created: ClassVar[Schema] = OBJECT
    changed: ClassVar[Schema] = PAIR
    # What POST on one of them does, where it does anything.
    on_one: ClassVar[Mapping[str, Operation]] = {}

    @property
    def connection(self) -> Connection:
        """The connection of the service."""
        return self.service.connection

    async def _all(self, operation: str, listed: str, **arguments: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield all of a list, page after page."""
        while True:
            answer = await self.connection.call(operation, **arguments)
            for one in answer.get(listed, []):
                yield one
            if not answer.get("NextToken"):
                return
            arguments["NextToken"] = answer["NextToken"]

    async def _items(self) -> list[dict[str, Any]]:
        return [one async for one in self._all(self.lists, self.listed)]

    def _rendered(self, call: Call, items: list[dict[str, Any]]) -> Any:
        if call.flag("as_list"):
            return {"resource": [one[self.arn_name] for one in items]}
        fields = call.option("fields")
        named = [{self.short_name: short(one[self.arn_name]), **one} for one in items]
        if fields in (None, ""):
            return {"resource": [{self.arn_name: one[self.arn_name]} for one in items]}
        if fields == "*":
            return {"resource": named}
        wanted = [one.strip() for one in str(fields).split(",")]
        return {"resource": [{name: one[name] for name in wanted if name in one} for one in named]}

    async def arn(self, rest: tuple[str, ...]) -> str:
        """Answer the ARN that the path names; those of applications and endpoints have slashes."""
        return await full(self.connection, "/".join(rest))

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List them, or answer one with its attributes."""
        if not rest:
            return self._rendered(call, await self._items())
        arn = await self.arn(rest)
        return {self.short_name: short(arn), self.arn_name: arn, **await self.attributes(arn)}

    async def attributes(self, arn: str) -> dict[str, Any]:
        """Answer what is known of one."""
        raise NotImplementedError

    async def change(self, arn: str, body: Mapping[str, Any]) -> None:
        """Set attributes of one."""
        raise NotImplementedError

    async def put(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Set attributes of one."""
        if not rest:
            raise BadRequest("Name what is to be changed in the path.")
        await self.change(await self.arn(rest), _object(call.body))
        return {"success": True}

    async def patch(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Set attributes of one."""
        return await self.put(call, rest)

    async def remove(self, arn: str) -> None:
        """Delete one."""
        raise NotImplementedError

    async def delete(self, _call: Call, rest: tuple[str, ...]) -> Any:
        """Delete one."""
        if not rest:
            raise BadRequest("Name what is to be deleted in the path.")
        await self.remove(await self.arn(rest))
        return {"success": True}

    def _made(self, arn: str) -> dict[str, Any]:
        return {self.short_name: short(arn), self.arn_name: arn}


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BadRequest("The body must be an object.")
    return body


def _needed(body: Mapping[str, Any], *names: str) -> Any:
    found = next((body[one] for one in names if body.get(one) not in (None, "")), None)
    if found is None:
        raise BadRequest(f"The member '{names[0]}' is required.")
    return found


def _pair(body: Mapping[str, Any]) -> dict[str, Any]:
    if "AttributeName" not in body:
        raise BadRequest("The members 'AttributeName' and 'AttributeValue' are required.")
    return {"AttributeName": body["AttributeName"], "AttributeValue": body.get("AttributeValue", "")}


class Subscriptions(Named):
    """Who gets the messages of topics."""

    name = "subscription"
    label = "Subscriptions"
    description = "Who gets the messages of topics."
    short_name, arn_name = "Subscription", "SubscriptionArn"
    lists, listed = "list_subscriptions", "Subscriptions"
    operations, paths_below = paths("a subscription", PAIR, SUBSCRIPTION, sends=False)

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Subscribe to the topic that the body names."""
        if rest:
            raise NotFound(f"Resource '{'/'.join(call.path)}' takes no POST.")
        body = _object(call.body)
        return await self.subscribe(await full(self.connection, _needed(body, "Topic", "TopicArn")), body)

    async def subscribe(self, topic: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Subscribe to a topic."""
        given = {one: _needed(body, one) for one in ("Protocol", "Endpoint")}
        more = {"Attributes": body["Attributes"]} if body.get("Attributes") else {}
        answer = await self.connection.call("subscribe", TopicArn=topic, ReturnSubscriptionArn=True, **given, **more)
        return self._made(answer["SubscriptionArn"])

    async def of_topic(self, call: Call, topic: str) -> Any:
        """List the subscriptions of a topic."""
        found = self._all("list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
        return self._rendered(call, [one async for one in found])

    async def attributes(self, arn: str) -> dict[str, Any]:
        """Answer what is known of one."""
        found: dict[str, Any] = (await self.connection.call("get_subscription_attributes", SubscriptionArn=arn))[
            "Attributes"
        ]
        return found

    async def change(self, arn: str, body: Mapping[str, Any]) -> None:
        """Set an attribute."""
        await self.connection.call("set_subscription_attributes", SubscriptionArn=arn, **_pair(body))

    async def remove(self, arn: str) -> None:
        """End one."""
        await self.connection.call("unsubscribe", SubscriptionArn=arn)


class Topics(Named):
    """What messages are sent to."""

    name = "topic"
    label = "Topics"
    description = "What messages are sent to."
    short_name, arn_name = "Topic", "TopicArn"
    lists, listed = "list_topics", "Topics"
    operations, paths_below = paths(
        "a topic", PAIR, TOPIC, (below("subscription", "subscription", SUBSCRIPTION),), sends=True
    )

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List topics, answer one, or list its subscriptions."""
        if len(rest) == 2 and rest[1] == Subscriptions.name:
            return await self._subscriptions.of_topic(call, await self.arn(rest[:1]))
        return await super().get(call, rest)

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Create a topic, send a message to one, or subscribe to it."""
        if not rest:
            body = _object(call.body)
            more = {one: body[one] for one in ("Attributes", "Tags") if body.get(one)}
            answer = await self.connection.call("create_topic", Name=_needed(body, "Name"), **more)
            return self._made(answer["TopicArn"])
        arn = await self.arn(rest[:1])
        if len(rest) == 2 and rest[1] == Subscriptions.name:
            return await self._subscriptions.subscribe(arn, _object(call.body))
        return await published(self.connection, call.body, await self.arn(rest))

    @property
    def _subscriptions(self) -> Subscriptions:
        found = self.service.all_resources()[Subscriptions.name]
        assert isinstance(found, Subscriptions)  # noqa: S101 - it is what the service declares
        return found

    async def attributes(self, arn: str) -> dict[str, Any]:
        """Answer what is known of one."""
        found: dict[str, Any] = (await self.connection.call("get_topic_attributes", TopicArn=arn))["Attributes"]
        return found

    async def change(self, arn: str, body: Mapping[str, Any]) -> None:
        """Set an attribute."""
        await self.connection.call("set_topic_attributes", TopicArn=arn, **_pair(body))

    async def remove(self, arn: str) -> None:
        """Delete one; the service answers the same where there is none."""
        await self.connection.call("delete_topic", TopicArn=arn)


class Endpoints(Named):
    """Devices, each with an application."""

    name = "endpoint"
    label = "Endpoints"
    description = "Devices that get the messages of applications."
    short_name, arn_name = "Endpoint", "EndpointArn"
    operations, paths_below = paths("an endpoint", ATTRIBUTES, ENDPOINT, sends=True)

    async def _items(self) -> list[dict[str, Any]]:
        applications = self._all("list_platform_applications", "PlatformApplications")
        arns = [one["PlatformApplicationArn"] async for one in applications]
        return [one for arn in arns for one in await self._of(arn)]

    async def _of(self, application: str) -> list[dict[str, Any]]:
        arguments = {"PlatformApplicationArn": application}
        return [one async for one in self._all("list_endpoints_by_platform_application", "Endpoints", **arguments)]

    async def of_application(self, call: Call, application: str) -> Any:
        """List the endpoints of an application."""
        return self._rendered(call, await self._of(application))

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Create an endpoint of the application that the body names, or send a message to one."""
        if rest:
            return await published(self.connection, call.body, await self.arn(rest))
        body = _object(call.body)
        name = _needed(body, "Application", "PlatformApplicationArn", "ApplicationArn")
        return await self.create(await full(self.connection, name), body)

    async def create(self, application: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an endpoint of an application."""
        more = {one: body[one] for one in ("CustomUserData", "Attributes") if body.get(one)}
        arguments = {"PlatformApplicationArn": application, "Token": _needed(body, "Token"), **more}
        return self._made((await self.connection.call("create_platform_endpoint", **arguments))["EndpointArn"])

    async def attributes(self, arn: str) -> dict[str, Any]:
        """Answer what is known of one."""
        answer = await self.connection.call("get_endpoint_attributes", EndpointArn=arn)
        return {"Attributes": answer["Attributes"]}

    async def change(self, arn: str, body: Mapping[str, Any]) -> None:
        """Set attributes."""
        await self.connection.call("set_endpoint_attributes", EndpointArn=arn, Attributes=_needed(body, "Attributes"))

    async def remove(self, arn: str) -> None:
        """Delete one."""
        await self.connection.call("delete_endpoint", EndpointArn=arn)


class Applications(Named):
    """Applications of platforms such as Apple's or Google's."""

    name = "app"
    label = "Applications"
    description = "Applications of platforms such as APNS and GCM."
    short_name, arn_name = "Application", "PlatformApplicationArn"
    lists, listed = "list_platform_applications", "PlatformApplications"
    operations, paths_below = paths(
        "an application", ATTRIBUTES, APPLICATION, (below("endpoint", "endpoint", ENDPOINT),), sends=False
    )

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List applications, answer one, or list its endpoints."""
        if len(rest) > 1 and rest[-1] == Endpoints.name:
            return await self._endpoints.of_application(call, await self.arn(rest[:-1]))
        return await super().get(call, rest)

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Create an application, or an endpoint of one."""
        body = _object(call.body)
        if len(rest) > 1 and rest[-1] == Endpoints.name:
            return await self._endpoints.create(await self.arn(rest[:-1]), body)
        if rest:
            raise NotFound(f"Resource '{'/'.join(call.path)}' takes no POST.")
        given = {one: _needed(body, one) for one in ("Name", "Platform")}
        answer = await self.connection.call(
            "create_platform_application", Attributes=body.get("Attributes") or {}, **given
        )
        return self._made(answer["PlatformApplicationArn"])

    @property
    def _endpoints(self) -> Endpoints:
        found = self.service.all_resources()[Endpoints.name]
        assert isinstance(found, Endpoints)  # noqa: S101 - it is what the service declares
        return found

    async def attributes(self, arn: str) -> dict[str, Any]:
        """Answer what is known of one."""
        answer = await self.connection.call("get_platform_application_attributes", PlatformApplicationArn=arn)
        return {"Attributes": answer["Attributes"]}

    async def change(self, arn: str, body: Mapping[str, Any]) -> None:
        """Set attributes."""
        attributes = _needed(body, "Attributes")
        await self.connection.call(
            "set_platform_application_attributes", PlatformApplicationArn=arn, Attributes=attributes
        )

    async def remove(self, arn: str) -> None:
        """Delete one."""
        await self.connection.call("delete_platform_application", PlatformApplicationArn=arn)
