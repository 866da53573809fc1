"""What a subscription calls: the part ``service`` of what was posted, and the call that a message makes of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trunkline import json
from trunkline.call import VERBS, Call
from trunkline.errors import BadRequest
from trunkline.query import parse_query

_PREFIX = "api/v2/"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path of this gateway with verb, query, headers and body; the message is added to the body (connectors 7.1)."""

    service: str
    path: tuple[str, ...]
    verb: str = "POST"
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: Mapping[str, Any] = field(default_factory=dict)
    trailing_slash: bool = False

    def call(self, message: Mapping[str, Any]) -> Call:
        """Make the call for a message."""
        body = {**self.payload, **message}
        return Call(
            self.verb,
            self.service,
            self.path,
            dict(self.params),
            dict(self.headers),
            body,
            json.dumps(body),
            media_type="application/json",
            trailing_slash=self.trailing_slash,
            request_id=secrets.token_hex(8),
        )


def endpoint_of(given: Any, bad: BadRequest) -> Endpoint:
    """Read an endpoint; raises ``bad`` for what names none, another BadRequest for what is wrong with one."""
    if isinstance(given, str):
        given = {"endpoint": given}
    named = given.get("endpoint") if isinstance(given, dict) else None
    if not isinstance(named, str):
        raise bad
    path, _, query = named.strip().partition("?")
    path = path.lstrip("/")
    path = path[len(_PREFIX) :] if path.lower().startswith(_PREFIX) else path
    service, *rest = [one for one in path.split("/") if one] or [""]
    if not service:
        raise bad
    verb = str(given.get("verb") or given.get("method") or "POST").upper()
    if verb not in VERBS:
        raise BadRequest(f"'{verb}' is not a verb that a service takes.")
    params = _map(given, "parameter", "parameters")
    headers = {str(name).lower(): str(value) for name, value in _map(given, "header", "headers").items()}
    payload = _map(given, "payload")
    params = (parse_query(query.encode()) if query else {}) | params
    return Endpoint(service.lower(), tuple(rest), verb, params, headers, payload, path.endswith("/") and bool(rest))


def _map(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    found = next((given[name] for name in names if given.get(name) is not None), None)
    # Where nothing is meant, clients send an empty list as well.
    if found is None or found == []:
        return {}
    if not isinstance(found, dict):
        raise BadRequest(f"The member '{names[0]}' of service must be an object.")
    return found
