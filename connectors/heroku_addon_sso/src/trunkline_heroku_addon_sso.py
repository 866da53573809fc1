"""Single sign-on from Heroku's dashboard to a gateway that is sold as an add-on (connectors 13.5)."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import time
from pathlib import Path
from typing import Any, Literal

from trunkline import Field, Secret
from trunkline.call import VERBS, Call
from trunkline.describe import Operation, Schema
from trunkline.errors import BadRequest, Forbidden, InternalError
from trunkline.service import Open, Resource
from trunkline.threads import in_thread
from trunkline_oauth import Identity, redirects
from trunkline_system.session import nothing_below
from trunkline_user import pending
from trunkline_user.external import ExternalConfig, ExternalService

# Seconds that a link of the dashboard is good, and that clocks may differ.
_GOOD, _SKEW = 300, 60
_NUMBER = re.compile(r"[0-9]{1,12}")
_FIELDS = ("email", "user_id", "app", "context_app", "timestamp", "resource_id", "resource_token")
_BODY: Schema = {"type": "object", "properties": {name: {"type": "string"} for name in _FIELDS}}
_WORDS = "Go on as an administrator, by a link of Heroku's dashboard"


class HerokuConfig(ExternalConfig):
    """What Heroku and this gateway know together."""

    secret: Secret = Field(
        title="Secret", description="The SSO salt of the add-on, or the file or variable that holds it."
    )
    secret_type: Literal["string", "file", "environment"] = Field(
        default="string", title="Secret type", description="Whether the secret is the salt itself or says where it is."
    )

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Leave roles out: those who come are administrators."""
        return [one for one in super().schema_entries() if one["name"] in ("secret", "secret_type")]


class Sso(Resource):
    """Where the dashboard sends browsers."""

    name = "sso"
    label = "Single Sign-On"
    description = "Take a browser that comes from Heroku's dashboard."
    operations = {  # noqa: RUF012 - read only
        "GET": Operation(_WORDS, "sso", status=302),
        "POST": Operation(_WORDS, "sso_form", body=_BODY, status=302),
    }
    service: HerokuAddonSso

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Open a session for whom Heroku sends."""
        nothing_below(self, call, rest)
        return await self.service.login(call)

    get = post


class HerokuAddonSso(ExternalService):
    """Lets in whom Heroku's dashboard sends, as administrators, since they own this instance."""

    label = "Heroku Addon SSO"
    description = "Lets owners of an add-on at Heroku in, from their dashboard."
    group = "SSO"
    singleton = True
    origin = ("oauth_provider", "heroku")
    makes_administrators = True
    resources = (Sso,)
    open_paths = (Open("sso", VERBS["GET"] | VERBS["POST"]),)
    config: HerokuConfig

    async def login(self, call: Call) -> Any:
        """Check the link, once, and go on with a session; raises Forbidden."""
        given = {name: _text(call, name) for name in _FIELDS}
        await in_thread(self._check, given)
        token = f"{self.record.id}:{given['resource_token']}:{given['user_id']}"
        if not await pending.first(self.app, "heroku", token, _GOOD + _SKEW):
            raise Forbidden("The link was used already.")
        # The signature covers neither name nor address, so these are not believed beyond telling people apart.
        identity = Identity(subject=f"{given['resource_id']}/{given['user_id']}", name=given["email"] or None)
        session = await self.session(call, identity)
        return redirects.to(redirects.usual(), jwt=session["session_token"])

    def _check(self, given: dict[str, str]) -> None:
        """Compare with what only Heroku can have made; blocks where the salt is in a file."""
        if not given["user_id"] or not given["resource_id"] or not _NUMBER.fullmatch(given["timestamp"]):
            raise Forbidden("The link is not good.")
        text = f"{given['resource_id']}:{self._salt()}:{given['timestamp']}"
        # Heroku signs links so; what is weak about the hash does not help who does not know the salt.
        expected = hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
        if not hmac.compare_digest(expected.encode(), given["resource_token"].encode("utf-8", "surrogatepass")):
            raise Forbidden("The link is not good.")
        if not -_SKEW <= time.time() - int(given["timestamp"]) <= _GOOD:
            raise Forbidden("The link is too old.")

    def _salt(self) -> str:
        """Answer the salt from where it is; raises InternalError, so that none is never taken for an empty one."""
        named = self.config.secret.get_secret_value()
        try:
            found = {
                "string": lambda: named,
                "file": lambda: Path(named).read_text(encoding="utf-8").strip(),
                "environment": lambda: os.environ.get(named, ""),
            }[self.config.secret_type]()
        except (OSError, ValueError) as error:
            raise InternalError("The secret of this service cannot be read.") from error
        if not found:
            raise InternalError("The secret of this service is empty.")
        return found


def _text(call: Call, name: str) -> str:
    value = call.option(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"The {name} must be text.")
    return value or ""
