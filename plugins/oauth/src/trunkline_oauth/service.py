"""The story of a login by a browser that goes to a provider and comes back (system-api 21.1)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from trunkline.call import VERBS, Call, Reply
from trunkline.errors import BadRequest, TrunklineError, Unauthorized
from trunkline.service import Open, Resource
from trunkline.threads import in_thread
from trunkline_oauth import openapi, redirects, settings, tokens
from trunkline_oauth.config import ClientConfig
from trunkline_oauth.provider import Asked, Tokens
from trunkline_system.session import nothing_below
from trunkline_user import pending
from trunkline_user.external import ExternalService, Identity

_COOKIE = "trunkline_login"
_COOKIE_VALUE = re.compile(rf"(?:^|;\s*){_COOKIE}=([A-Za-z0-9_-]{{43}})(?:;|$)")


@dataclass(frozen=True, slots=True)
class Begun:
    """A login that begins: where the browser goes, what will come back with it, what is to be kept until then."""

    url: str
    token: str
    keep: dict[str, Any] = field(default_factory=dict)


class Sso(Resource):
    """Where providers send browsers back to, if ``redirect_url`` says so, and clients hand on what came to them."""

    name = "sso"
    label = "Single Sign-On"
    description = "Complete a login that has come back from the provider."
    operations = openapi.SSO
    service: OAuthService

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Complete a login: a redirect for browsers, else the session."""
        nothing_below(self, call, rest)
        return await self.service.completed(call, "session_token")

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Complete a login that a page of the client was given."""
        nothing_below(self, call, rest)
        return await self.service.completed(call, "jwt")

    put = post


class OAuthService(ExternalService):
    """A login by OAuth, of whatever version; connectors say where the provider is and who somebody is."""

    group = "OAuth"
    redirects = True
    resources = (Sso,)
    open_paths = (Open("sso", VERBS["GET"] | VERBS["POST"] | VERBS["PUT"]),)
    # Under which names a provider's answer comes back with what ``Begun.token`` was.
    answers_to: ClassVar[str] = "state"
    config: ClientConfig

    @abstractmethod
    async def begin(self) -> Begun:
        """Begin a login; raises what ``Asked`` raises where the provider must be asked."""

    @abstractmethod
    async def exchange(self, call: Call, begun: dict[str, Any]) -> Tokens:
        """Answer the tokens for what has come back; raises Unauthorized, and what ``Asked`` raises."""

    @abstractmethod
    async def identity(self, given: Tokens, begun: dict[str, Any]) -> Identity:
        """Answer who it is that has come back."""

    @cached_property
    def asked(self) -> Asked:
        """The provider's endpoints."""
        return Asked(self.app)

    @property
    def takes_new_users(self) -> bool:
        """As configured."""
        return self.config.allow_new_users

    async def login(self, call: Call) -> Any:
        """Begin a login, or complete one where ``oauth_callback`` says so."""
        if call.flag("oauth_callback"):
            return await self.completed(call, "session_token")
        begun = await self.begin()
        cookie = _cookie_of(call) or secrets.token_urlsafe(32)
        script = redirects.is_script(call)
        keep = {
            **begun.keep,
            "service": self.name,
            "redirect": redirects.allowed(self.app, call.option("redirect")),
            # Who only follows a redirect can be known again when coming back, if that leads here.
            "browser": None if script else hashlib.sha256(cookie.encode()).hexdigest(),
        }
        await pending.begin(self.app, begun.token, keep, settings.load().seconds)
        if script:
            return {"response": {"redirect": True, "url": begun.url}}
        return redirects.to(begun.url, {"Set-Cookie": _set_cookie(call, cookie)})

    async def completed(self, call: Call, name: str) -> Any:
        """Complete a login: browsers go on with the token under ``name``, other callers get the session.

        A failure is told to browsers as ``error`` in the address, once it is known where they may go.
        """
        token = call.option(self.answers_to)
        begun = await pending.finish(self.app, token, self.name, settings.load().seconds)
        browser = redirects.is_browser(call)
        target = begun.get("redirect") if begun is not None else None
        try:
            if begun is None:
                raise Unauthorized(
                    "Authentication failed. The login is not known here: it was begun too long ago, was completed "
                    "already, or was never begun."
                )
            _check_browser(call, begun)
            session = await self._session(call, begun)
        except TrunklineError as error:
            if not browser:
                raise
            return redirects.to(target or redirects.usual(), error=error.message)
        if browser:
            return redirects.to(target or redirects.usual(), **{name: session["session_token"]})
        return Reply(session, headers={"Cache-Control": "no-store"})

    async def _session(self, call: Call, begun: dict[str, Any]) -> dict[str, Any]:
        if call.option("error") is not None or call.option("denied") is not None:
            raise Unauthorized("Authentication failed. The login was cancelled or refused at the provider.")
        given = await self.exchange(call, begun)
        identity = await self.identity(given, begun)
        if not identity.subject:
            raise Unauthorized("Authentication failed. The identity provider does not say who this is.")
        user = await self.user(call, identity)
        await in_thread(tokens.keep, self.app, user.id, self.record.id, given)
        session = await self.session(call, identity)
        return session | {"oauth_token": given.access} | ({"id_token": given.id_token} if given.id_token else {})

    async def access_token(self, user_id: int) -> str | None:
        """Answer an access token with which to act for a user at the provider; None for who has to log in again."""
        held = await in_thread(tokens.kept, self.app, user_id, self.record.id)
        if held is None or not held.is_old:
            return held.access if held is not None else None
        fresh = await self.renewed(held)
        if fresh is None:
            # Another worker may have been first, and a refresh token may be good once.
            held = await in_thread(tokens.kept, self.app, user_id, self.record.id)
            return held.access if held is not None and not held.is_old else None
        await in_thread(tokens.keep, self.app, user_id, self.record.id, fresh)
        return fresh.access

    async def renewed(self, held: Tokens) -> Tokens | None:
        """Answer fresh tokens for old ones, None where the provider gives none."""
        return None

    async def close(self) -> None:
        """Close the connections."""
        await self.asked.close()


def _cookie_of(call: Call) -> str | None:
    found = _COOKIE_VALUE.search(call.headers.get("cookie", ""))
    return found[1] if found else None


def _set_cookie(call: Call, value: str) -> str:
    """Write the cookie that ties a login to the browser that began it; it stands for nothing else."""
    secure = "; Secure" if call.base_url.startswith("https:") else ""
    return f"{_COOKIE}={value}; Path=/api; Max-Age=3600; HttpOnly; SameSite=Lax{secure}"


def _check_browser(call: Call, begun: dict[str, Any]) -> None:
    """Refuse a login that another browser began, where that can be known: nobody is logged in as somebody else."""
    known = begun.get("browser")
    if known is None or call.method != "GET":
        return
    digest = hashlib.sha256((_cookie_of(call) or "").encode()).hexdigest()
    if not hmac.compare_digest(digest, known):
        raise Unauthorized("Authentication failed. The login was begun in another browser.")


def required(call: Call, name: str) -> str:
    """Answer what a provider must have sent back; raises BadRequest."""
    value = call.option(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"The {name} is missing.")
    return value
