"""Clients: the one that an operator configures, and those that register themselves (RFC 7591).

The id of a registered client is its registration, sealed, so that strangers can not fill any table.
"""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcp.server.auth.provider import RegistrationError
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import ValidationError

from trunkline_mcp.oauth.seals import Seals

if TYPE_CHECKING:
    from trunkline_mcp.service import Mcp

SCOPES = ["mcp:tools"]
_GRANTS = ["authorization_code", "refresh_token"]
_PURPOSE = "client"
_MOST_URIS, _LONGEST_URI, _LONGEST_NAME = 8, 500, 80
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Clients:
    """Knows the clients of a server."""

    def __init__(self, server: Mcp, seals: Seals) -> None:
        """Serve one server."""
        self._config = server.config
        self._key = server.app.vault.signing_key()
        self._seals = seals

    def find(self, client_id: str) -> OAuthClientInformationFull | None:
        """Answer a client by its id, or None."""
        config = self._config
        try:
            if hmac.compare_digest(client_id.encode(), (config.oauth_client_id or "").encode()):
                secret = config.oauth_client_secret.get_secret_value() if config.oauth_client_secret else None
                return OAuthClientInformationFull.model_validate(
                    {
                        "client_id": client_id,
                        "client_secret": secret,
                        "token_endpoint_auth_method": "client_secret_post" if secret else "none",
                        "redirect_uris": config.redirect_uris or None,
                        "grant_types": _GRANTS,
                        "scope": " ".join(SCOPES),
                    }
                )
            found = self._seals.open(_PURPOSE, client_id)
            if found is None:
                return None
            client = OAuthClientInformationFull.model_validate({"client_id": client_id, **found})
        except ValidationError:
            return None
        if _keeps_secret(client):
            client.client_secret = self._secret(client_id)
        return client

    def register(self, client: OAuthClientInformationFull) -> None:
        """Take a client in: gives it its id, and a secret if it wants one; raises RegistrationError."""
        uris = [str(one) for one in client.redirect_uris or []]
        if not 0 < len(uris) <= _MOST_URIS:
            raise RegistrationError("invalid_redirect_uri", f"There must be 1 to {_MOST_URIS} redirect URIs.")
        for uri in uris:
            if len(uri) > _LONGEST_URI or not (uri in self._config.redirect_uris or _is_safe(uri)):
                raise RegistrationError(
                    "invalid_redirect_uri",
                    "Redirect URIs must be https, or http on this machine, or be among those that the server allows.",
                )
        kept = {
            "redirect_uris": uris,
            "client_name": (client.client_name or "")[:_LONGEST_NAME] or None,
            "token_endpoint_auth_method": client.token_endpoint_auth_method,
            "grant_types": [one for one in client.grant_types if one in _GRANTS],
            "scope": client.scope,
            "client_id_issued_at": int(time.time()),
        }
        client.client_id = self._seals.seal(_PURPOSE, kept)
        client.client_secret = self._secret(client.client_id) if _keeps_secret(client) else None

    def _secret(self, client_id: str) -> str:
        return hmac.new(self._key, f"trunkline mcp client|{client_id}".encode(), "sha256").hexdigest()


def _keeps_secret(client: OAuthClientInformationFull) -> bool:
    return client.token_endpoint_auth_method not in (None, "none")


def _is_safe(uri: str) -> bool:
    """Say whether codes may be sent to an address that a stranger names: nobody can read them on the way."""
    try:
        found = urlsplit(uri)
        host = found.hostname or ""
    except ValueError:
        return False
    if found.fragment or found.username is not None:
        return False
    return (found.scheme == "https" and bool(host)) or (found.scheme == "http" and host in _LOCAL)
