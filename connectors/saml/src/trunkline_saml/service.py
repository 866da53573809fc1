"""The service type ``saml`` (connectors 13.3, system-api 21.3)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from trunkline.call import VERBS, Call, Reply
from trunkline.db import tables
from trunkline.errors import BadRequest, TrunklineError, Unauthorized
from trunkline.service import Open, Resource
from trunkline.threads import in_thread
from trunkline_oauth import redirects, settings
from trunkline_saml import openapi
from trunkline_saml.config import SamlConfig
from trunkline_saml.toolkit import Said, Toolkit
from trunkline_system.session import nothing_below
from trunkline_user import pending
from trunkline_user.external import ExternalService, Identity
from trunkline_user.shadow import linked_user

_DAY = 86400.0
_FIRST = (
    "givenName",
    "urn:oid:2.5.4.42",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
    "first_name",
)
_LAST = ("sn", "urn:oid:2.5.4.4", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "last_name")


class Sso(Resource):
    """Where a login begins."""

    name = "sso"
    label = "Single Sign-On"
    description = "Begin a login at the identity provider."
    operations = openapi.SSO
    service: Saml

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Send the browser to the provider."""
        nothing_below(self, call, rest)
        return await self.service.login(call)


class Acs(Resource):
    """Where the provider's assertions come in."""

    name = "acs"
    label = "Assertion Consumer"
    description = "Take the assertion of the identity provider."
    operations = openapi.ACS
    service: Saml

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Open a session: a redirect where the service or the login names a page, else JSON."""
        nothing_below(self, call, rest)
        return await self.service.asserted(call)


class Metadata(Resource):
    """What the provider must know of us."""

    name = "metadata"
    label = "Metadata"
    description = "The document by which this service is registered at the identity provider."
    operations = openapi.METADATA
    service: Saml

    async def get(self, call: Call, rest: tuple[str, ...]) -> Reply:
        """Answer the document; there is nothing secret in it."""
        nothing_below(self, call, rest)
        content = await in_thread(self.service.toolkit.metadata)
        return Reply(content, media_type="application/samlmetadata+xml")


class Slo(Resource):
    """Where logging out everywhere begins."""

    name = "slo"
    label = "Single Logout"
    description = "End the session here and at the identity provider."
    operations = openapi.SLO
    service: Saml

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """End the session, and send the browser to the provider to end the one there."""
        nothing_below(self, call, rest)
        return await self.service.log_out(call)


class Sls(Resource):
    """Where the provider says that somebody is logged out, or is to be."""

    name = "sls"
    label = "Single Logout Service"
    description = "Take the provider's requests to log out, and its answers to ours."
    operations = openapi.SLS
    service: Saml

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """End sessions, or complete what ``slo`` began."""
        nothing_below(self, call, rest)
        return await self.service.told_of_logout(call)


class Saml(ExternalService):
    """Logs users in by assertions that their identity provider has signed."""

    label = "SAML 2.0"
    description = "Lets users log in at an identity provider that speaks SAML 2.0."
    group = "SSO"
    origin = ("saml", "saml")
    redirects = True
    resources = (Sso, Acs, Metadata, Slo, Sls)
    open_paths = (
        Open("sso", VERBS["GET"]), Open("acs", VERBS["POST"]), Open("metadata", VERBS["GET"]),
        Open("slo", VERBS["GET"]), Open("sls", VERBS["GET"]),
    )  # fmt: skip
    config: SamlConfig

    @cached_property
    def toolkit(self) -> Toolkit:
        """What speaks SAML for this service."""
        return Toolkit(self.config, f"{self.app.settings.app_url.rstrip('/')}/api/v2/{quote(self.name)}")

    async def login(self, call: Call) -> Any:
        """Begin a login; the page to go on to is kept here, since what comes back could be anybody's."""
        url, request = await in_thread(self.toolkit.login, self.config.relay_state or "")
        keep = {"service": self.name, "redirect": redirects.allowed(self.app, call.option("redirect"))}
        await pending.begin(self.app, request, keep, settings.load().seconds)
        if redirects.is_script(call):
            return {"response": {"redirect": True, "url": url}}
        return redirects.to(url)

    async def asserted(self, call: Call) -> Any:
        """Open a session for whom an assertion names."""
        response = call.option("SAMLResponse")
        if not isinstance(response, str) or not response:
            raise BadRequest("Invalid SAML Response provided")
        said = await in_thread(self.toolkit.judged, response)
        begun = await self._begun(said)
        try:
            session = await self.session(call, _identity(said))
        except TrunklineError as error:
            if begun is None or not begun["redirect"]:
                raise
            return redirects.to(begun["redirect"], error=error.message)
        await self._remember(session["session_token"], said)
        if begun is not None and begun["redirect"]:
            return redirects.to(begun["redirect"], session_token=session["session_token"])
        if self.config.relay_state:
            return redirects.to(self.config.relay_state.replace("_token_", session["session_token"]))
        return Reply(session, headers={"Cache-Control": "no-store"})

    async def _begun(self, said: Said) -> dict[str, Any] | None:
        """Answer what was kept of the login; raises Unauthorized for an assertion that comes twice or unasked."""
        seconds = max(said.ends - time.time(), 0.0) if said.ends else _DAY
        begun = None
        if said.request is not None:
            begun = await pending.finish(self.app, said.request, self.name, seconds)
        if begun is None and (said.request is not None or not self.config.allow_idp_initiated):
            raise Unauthorized("Authentication failed. The login was not begun here, or not lately.")
        token = f"{self.record.id}:{said.assertion}"
        # Clocks may differ by some minutes, for which the assertion is good beyond its end.
        if not await pending.first(self.app, "assertion", token, seconds + 600):
            raise Unauthorized("Authentication failed. The assertion was used already.")
        return begun

    async def _remember(self, token: str, said: Said) -> None:
        """Keep by which name a session is known at the provider, as long as it can live."""
        seconds = self.app.settings.jwt_refresh_ttl * 60
        kept = {"name": said.name, "index": said.session_index}
        await in_thread(self.app.cache.set, self._session_key(token), kept, seconds)

    def _session_key(self, token: str) -> str:
        return f"saml_session:{self.record.id}:{hashlib.sha256(token.encode()).hexdigest()}"

    async def log_out(self, call: Call) -> Any:
        """End the caller's session here, and go on to the provider where that has a page for it."""
        session = call.caller.session
        if session is None:
            raise Unauthorized("There is no valid session for the current request.")
        kept = await in_thread(self.app.cache.get, self._session_key(session.token))
        await self.app.sessions.revoke(session)
        back = redirects.allowed(self.app, call.option("redirect")) or redirects.usual()
        begun = await in_thread(self.toolkit.logout, kept["name"], kept["index"], back) if kept else None
        if begun is None:
            return {"success": True}
        url, request = begun
        await pending.begin(self.app, request, {"service": self.name, "redirect": back}, settings.load().seconds)
        return {"response": {"redirect": True, "url": url}} if redirects.is_script(call) else redirects.to(url)

    async def told_of_logout(self, call: Call) -> Any:
        """Do as the provider asks, or take its answer to what ``log_out`` asked."""
        if isinstance(call.params.get("SAMLRequest"), str):
            name, url = await in_thread(self.toolkit.asked_to_log_out, call.query)
            await in_thread(self._end_sessions, name)
            return redirects.to(url)
        if not isinstance(call.params.get("SAMLResponse"), str):
            raise BadRequest("Invalid SAML message provided")
        request = await in_thread(self.toolkit.logged_out, call.query)
        begun = await pending.finish(self.app, request, self.name, settings.load().seconds)
        return redirects.to(begun["redirect"] if begun is not None else redirects.usual())

    def _end_sessions(self, name: str) -> None:
        """End all sessions of a user, since the provider names none of ours; blocks."""
        user = linked_user(self, name)
        if user is not None:
            later = sa.update(tables.user).where(tables.user.c.id == user.id)
            change = later.values(token_epoch=tables.user.c.token_epoch + 1)
            self.app.database.change(lambda connection: connection.execute(change))


def _identity(said: Said) -> Identity:
    """Make an identity of an assertion: the operator has chosen who may make them, so addresses count."""
    first, last = (_attribute(said.attributes, names) for names in (_FIRST, _LAST))
    return Identity(
        subject=said.name,
        email=said.name if "@" in said.name else None,
        email_is_verified="@" in said.name,
        first_name=first or "SAML",
        last_name=last or "USER",
    )


def _attribute(attributes: Mapping[str, list[Any]], names: tuple[str, ...]) -> str | None:
    for name in names:
        for value in attributes.get(name) or []:
            if isinstance(value, str) and value.strip():
                return value.strip()
    return None
