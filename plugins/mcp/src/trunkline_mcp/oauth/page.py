"""The page on which a user logs in and lets a client in, or does not."""

from __future__ import annotations

import base64
import hashlib
import html
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcp.server.auth.provider import AuthorizationParams, construct_redirect_uri
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from trunkline.errors import TooManyRequests, TrunklineError

if TYPE_CHECKING:
    from mcp.shared.auth import OAuthClientInformationFull

    from trunkline_mcp.oauth.provider import Provider
    from trunkline_mcp.service import Mcp

_PAGE = Template((Path(__file__).parent / "login.html").read_text(encoding="utf-8"))
_STYLE = (Path(__file__).parent / "login.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_ENDED = "This request has ended, or never was. Begin again where you came from."


class LoginPage:
    """Shows the page and takes its answer; no cookie is set or read, so no other page can answer for the user."""

    def __init__(self, server: Mcp, provider: Provider) -> None:
        """Serve one request."""
        self._server = server
        self._provider = provider

    async def handle(self, request: Request) -> Response:
        """Answer GET with the page, and POST with the way back to the client."""
        form = await request.form() if request.method == "POST" else request.query_params
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        sealed = fields.get("request", "")
        found = self._provider.request(sealed)
        if found is None:
            return self._shown(_ENDED, status=400)
        client, params = found
        if request.method == "GET":
            return self._shown("", client, params, sealed)
        if fields.get("answer") != "allow":
            return self._back(params, error="access_denied", error_description="The user has refused.")
        app = self._server.app
        address = request.client.host if request.client is not None else None
        try:
            user = await app.logins.login("email", fields.get("email", ""), fields.get("password", ""), address)
        except TooManyRequests as error:
            return self._shown(error.message, client, params, sealed, status=429)
        except TrunklineError as error:
            return self._shown(error.message, client, params, sealed, status=401)
        await app.logins.succeeded(user)
        return self._back(params, code=self._provider.code(client, params, user))

    def _back(self, params: AuthorizationParams, **told: str) -> Response:
        """Send the browser back to the client; ``iss`` says by whom (RFC 9207)."""
        told = {**told, "iss": self._provider.resource} | ({"state": params.state} if params.state else {})
        url = construct_redirect_uri(str(params.redirect_uri), **told)
        return RedirectResponse(url, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})

    def _shown(
        self,
        words: str,
        client: OAuthClientInformationFull | None = None,
        params: AuthorizationParams | None = None,
        sealed: str = "",
        status: int = 200,
    ) -> Response:
        target = urlsplit(str(params.redirect_uri)) if params is not None else None
        origin = f"{target.scheme}://{target.netloc}" if target is not None else ""
        filled = _PAGE.substitute(
            style=_STYLE,
            words=html.escape(words),
            hidden="" if params is not None else "hidden",
            client=html.escape((client.client_name if client is not None else None) or "A program"),
            origin=html.escape(origin),
            server=html.escape(self._server.record.label or self._server.name),
            instance=html.escape(self._server.app.settings.app_name),
            request=html.escape(sealed, quote=True),
        )
        # Browsers hold where a form leads in the end against form-action, too.
        leads = f"{target.scheme}:" if target is not None and target.scheme not in ("http", "https") else origin
        policy = (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
            f"form-action 'self' {leads}; frame-ancestors 'none'"
        )
        headers = {
            "Content-Security-Policy": policy,
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        return HTMLResponse(filled, status, headers)
