"""What the calls of topics, subscriptions, applications and endpoints take and answer."""

from __future__ import annotations

from typing import Any

from trunkline.describe import AS_LIST, FIELDS, SUCCESS, Operation, Path, Schema, in_path, list_of

MESSAGE: Schema = {
    "type": "object",
    "description": "The message; without `Message` the whole of it is the message.",
    "properties": {
        "Message": {"description": "Text, or an object with a text for each protocol."},
        "Subject": {"type": "string"},
        "MessageStructure": {"type": "string"},
        "MessageAttributes": {"type": "object"},
        **{one: {"type": "string"} for one in ("Topic", "TopicArn", "Endpoint", "EndpointArn", "TargetArn")},
    },
}
SENT: Schema = {"type": "object", "properties": {"MessageId": {"type": "string"}}}
PAIR: Schema = {
    "type": "object",
    "required": ["AttributeName", "AttributeValue"],
    "properties": {"AttributeName": {"type": "string"}, "AttributeValue": {"type": "string"}},
}
ATTRIBUTES: Schema = {"type": "object", "required": ["Attributes"], "properties": {"Attributes": {"type": "object"}}}
OBJECT: Schema = {"type": "object"}


def paths(label: str, changed: Schema, created: Schema, more: tuple[Path, ...] = (), *, sends: bool) -> Any:
    """Describe the calls that all four have; answer those on the list and those further down."""
    on_one = {
        "GET": Operation(f"Answer {label} with its attributes.", "One", reply=OBJECT),
        "PUT": Operation(f"Set attributes of {label}.", "ReplaceOne", body=changed, reply=SUCCESS),
        "PATCH": Operation(f"Set attributes of {label}.", "UpdateOne", body=changed, reply=SUCCESS),
        "DELETE": Operation(f"Delete {label}.", "One", reply=SUCCESS),
    }
    if sends:
        on_one["POST"] = Operation(f"Send a message to {label}.", "Message", body=MESSAGE, reply=SENT)
    own = {
        "GET": Operation("List them.", "List", parameters=(AS_LIST, FIELDS), reply=list_of(OBJECT)),
        "POST": Operation(f"Create {label}.", "New", body=created, reply=OBJECT),
    }
    one = Path("{name}", on_one, (in_path("name", "Its ARN, or what stands behind the account in it."),))
    return own, (one, *more)


def below(name: str, label: str, created: Schema) -> Path:
    """Describe the calls on what belongs to one of them."""
    operations = {
        "GET": Operation(
            f"List its {label}s.", f"{label.title()}s", parameters=(AS_LIST, FIELDS), reply=list_of(OBJECT)
        ),
        "POST": Operation(f"Create a new {label} of it.", label.title(), body=created, reply=OBJECT),
    }
    return Path(f"{{name}}/{name}", operations, (in_path("name", "Its ARN, or what stands behind the account."),))


TOPIC: Schema = {"type": "object", "required": ["Name"], "properties": {"Name": {"type": "string"}}}
SUBSCRIPTION: Schema = {
    "type": "object",
    "required": ["Protocol", "Endpoint"],
    "properties": {one: {"type": "string"} for one in ("Topic", "TopicArn", "Protocol", "Endpoint")},
}
APPLICATION: Schema = {
    "type": "object",
    "required": ["Name", "Platform"],
    "properties": {"Name": {"type": "string"}, "Platform": {"type": "string"}, "Attributes": {"type": "object"}},
}
ENDPOINT: Schema = {
    "type": "object",
    "required": ["Token"],
    "properties": {
        **{one: {"type": "string"} for one in ("Application", "PlatformApplicationArn", "Token", "CustomUserData")},
        "Attributes": {"type": "object"},
    },
}
