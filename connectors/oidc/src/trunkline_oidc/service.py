"""The service type ``oidc`` (connectors 13.2)."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from cachetools import LRUCache
from pydantic import field_validator, model_validator

from trunkline import Field
from trunkline.call import Call
from trunkline.db.records import User
from trunkline.errors import BadGateway, Unauthorized
from trunkline_oauth import ClientConfig, CodeFlow, Endpoints, Identity, Tokens
from trunkline_oauth.claims import identity_of, text
from trunkline_oauth.config import address
from trunkline_oidc import id_token
from trunkline_oidc.metadata import Documents

_USUAL_SCOPES = ("openid", "profile", "email")


class OidcConfig(ClientConfig):
    """Where the provider is, by its discovery document or endpoint by endpoint, and who we are to it."""

    discovery_document: str | None = Field(
        default=None,
        title="Discovery Document Endpoint",
        description="Address that ends in /.well-known/openid-configuration; what it says stands for blank fields.",
    )
    auth_endpoint: str | None = Field(
        default=None, title="Authorization Endpoint", description="Page for browsers; needed without a document."
    )
    token_endpoint: str | None = Field(
        default=None, title="Token Endpoint", description="Endpoint for tokens; needed without a document."
    )
    user_endpoint: str | None = Field(
        default=None, title="User Info Endpoint", description="Endpoint that says who somebody is."
    )
    validate_id_token: bool = Field(
        default=False,
        title="Validate ID Token",
        description="Demand that ID tokens are signed. Where the keys are known they are always checked.",
    )
    jwks_uri: str | None = Field(default=None, title="JWKS URI", description="Address of the provider's keys.")
    scopes: str | None = Field(
        default=None,
        title="Scopes",
        description="What to ask for, separated by commas; openid,profile,email if blank.",
    )
    accept_tokens: bool = Field(
        default=False,
        title="Accept Tokens",
        description="Take signed tokens of this provider as credentials of requests, without a session.",
    )
    token_audience: str | None = Field(
        default=None,
        title="Token Audience",
        description="The audience of such tokens; the client id if blank.",
    )
    form: ClassVar[tuple[str, ...]] = (
        *("default_role", "discovery_document", "auth_endpoint", "token_endpoint", "user_endpoint"),
        *("validate_id_token", "jwks_uri", "scopes", "client_id", "client_secret", "redirect_url", "icon_class"),
        "app_role_map",
    )

    @field_validator("discovery_document", "auth_endpoint", "token_endpoint", "user_endpoint", "jwks_uri")
    @classmethod
    def _is_an_address(cls, text: str | None) -> str | None:
        return address(text)

    @model_validator(mode="after")
    def _is_whole(self) -> OidcConfig:
        if self.discovery_document is None:
            missing = [name for name in ("auth_endpoint", "token_endpoint") if not getattr(self, name)]
            if missing:
                raise ValueError(f"Without discovery_document these are required: {', '.join(missing)}")
            if self.validate_id_token and not self.jwks_uri:
                raise ValueError("Without discovery_document jwks_uri is required to check tokens.")
            if self.accept_tokens:
                raise ValueError("accept_tokens needs discovery_document, which says who issues them.")
        return self


class Oidc(CodeFlow):
    """Logs users in by their ID tokens, and takes a provider's tokens for what they say."""

    label = "OpenID Connect"
    description = "Lets users log in with any provider of OpenID Connect."
    origin = ("oauth_provider", "oidc")
    config: OidcConfig

    @cached_property
    def documents(self) -> Documents:
        """What the provider says of itself."""
        return Documents(self.asked)

    @cached_property
    def _known(self) -> LRUCache[str, tuple[int, float]]:
        """Users and ends of tokens that were found good."""
        return LRUCache(10_000)

    async def _said(self, name: str) -> Any:
        if self.config.discovery_document is None:
            return None
        return (await self.documents.discovery(self.config.discovery_document)).get(name)

    async def endpoints(self) -> Endpoints:
        """Answer what the configuration says, else the discovery document; raises BadGateway where neither does."""
        config = self.config
        authorize = config.auth_endpoint or await self._said("authorization_endpoint")
        token = config.token_endpoint or await self._said("token_endpoint")
        if not authorize or not token:
            raise BadGateway("The discovery document does not name the endpoints for a login.")
        methods = await self._said("token_endpoint_auth_methods_supported")
        only_post = (
            isinstance(methods, list) and "client_secret_post" in methods and "client_secret_basic" not in methods
        )
        return Endpoints(
            str(authorize),
            str(token),
            str(config.user_endpoint or await self._said("userinfo_endpoint") or ""),
            tuple((config.scopes or "").replace(",", " ").split()) or _USUAL_SCOPES,
            client_auth="client_secret_post" if only_post else "client_secret_basic",
        )

    async def issuer(self) -> str | None:
        """Answer the issuer; only a discovery document names it."""
        found = await self._said("issuer")
        return str(found) if found is not None else None

    async def identity(self, given: Tokens, begun: dict[str, Any]) -> Identity:
        """Answer who the ID token names; the user info endpoint adds what it does not say."""
        at = await self.endpoints()
        claims: dict[str, Any] = {}
        if given.id_token is not None:
            claims = await self.judged(given.id_token, audience=self.config.client_id, nonce=begun["nonce"])
        elif "openid" in at.scopes:
            raise Unauthorized("Authentication failed. The identity provider gave no ID token.")
        if at.user and (
            not claims or claims.get("email") is None or not (claims.get("name") or claims.get("given_name"))
        ):
            more = await self.asked.get(at.user, given.access)
            if claims and more.get("sub") != claims.get("sub"):
                raise id_token.failed("subject: the user info endpoint tells of somebody else")
            claims = {**more, **claims}
        found = identity_of(claims)
        # A provider of one's own may say nothing of verifying; what it says of addresses is not believed then.
        return replace(found, name=found.name or text(claims, "nickname"))

    async def judged(self, token: str, *, audience: str, nonce: str | None = None) -> dict[str, Any]:
        """Answer the claims of a token that is good; raises Unauthorized.

        One that came right from the token endpoint need not be signed by a key that we know (Core 3.1.3.7, 6), unless
        the configuration demands it. One that a caller brings, without a nonce, must be.
        """
        uri = self.config.jwks_uri or await self._said("jwks_uri")
        if uri:
            claims = await self._verified(token, str(uri))
        elif self.config.validate_id_token or nonce is None:
            raise BadGateway("The discovery document does not say where the provider's keys are.")
        else:
            claims = id_token.peeked(token)
        id_token.check(claims, issuer=await self.issuer(), audience=audience, nonce=nonce)
        return claims

    async def _verified(self, token: str, uri: str) -> dict[str, Any]:
        try:
            return id_token.signed(token, await self.documents.keys(uri))
        except id_token.UnknownKey:
            return id_token.signed(token, await self.documents.keys(uri, anew=True))

    async def bearer(self, call: Call, token: str) -> User | None:
        """Answer the user of a token that a caller brings; None for one that is another's, raises for a bad one."""
        if not self.config.accept_tokens or id_token.peeked(token).get("iss") != await self.issuer():
            return None
        digest = hashlib.sha256(token.encode()).hexdigest()
        held = self._known.get(digest)
        if held is not None and held[1] > time.time():
            user = await self.app.directory.user(held[0])
            if user is not None and user.is_active:
                return user
        claims = await self.judged(token, audience=self.config.token_audience or self.config.client_id)
        identity = identity_of(claims)
        if not identity.subject:
            raise Unauthorized("Invalid token: JWT payload does not contain the required claims")
        user = await self.user(call, identity)
        self._known[digest] = (user.id, float(claims["exp"]))
        return user
