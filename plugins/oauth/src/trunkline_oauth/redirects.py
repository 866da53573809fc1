"""Where browsers go: back to a page that the login named, if that is one of ours, and nowhere else (checklist 19)."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from trunkline.call import Call, Reply
from trunkline_oauth import settings

if TYPE_CHECKING:
    from trunkline.app import App

# No shared cache keeps a reply with a token in its address, and no page that follows is told that address.
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def allowed(app: App, target: Any) -> str | None:
    """Answer a page if browsers may be sent there after a login, else None, as the original drops it.

    Pages are those of this server, by their path, and of the hosts that the operator lists (system-api 21.1).
    """
    if not isinstance(target, str) or any(ord(one) <= 32 or one == "\\" for one in target):
        return None
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme and not parts.netloc:
        return target if target.startswith("/") and not target.startswith("//") else None
    own = urlsplit(app.settings.app_url)
    if not parts.hostname or parts.username is not None or parts.password is not None:
        return None
    if parts.scheme != "https" and not (parts.scheme == "http" and (app.settings.debug or own.scheme == "http")):
        return None
    listed = [one.strip().lower() for one in settings.load().allowed_domains.split(",") if one.strip()]
    if not listed:
        return target if (parts.hostname, port) == (own.hostname, own.port) else None
    host = parts.hostname.lower()
    fits = any(fnmatch.fnmatchcase(host if ":" not in one else f"{host}:{port}", one) for one in listed)
    return target if fits else None


def usual() -> str:
    """Answer the page after logins that named none."""
    return settings.load().redirect_url or settings.load().default_path


def to(url: str, headers: dict[str, str] | None = None, **more: str) -> Reply:
    """Send a browser somewhere, with values added to the query."""
    if more:
        parts = urlsplit(url)
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *more.items()])
        url = urlunsplit(parts._replace(query=query))
    return Reply(None, 302, {"Location": url, **_HEADERS, **(headers or {})})


def is_script(call: Call) -> bool:
    """Say whether a script on a page asks, which could not follow a redirect to another site."""
    return call.headers.get("x-requested-with", "").lower() == "xmlhttprequest"


def is_browser(call: Call) -> bool:
    """Say whether a browser shows what is answered."""
    mode = call.headers.get("sec-fetch-mode")
    return not is_script(call) and (
        mode == "navigate" or (mode is None and "text/html" in call.headers.get("accept", ""))
    )
