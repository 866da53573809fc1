"""Logins that have begun and wait for a browser to come back, in the cache that all workers share."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from trunkline.threads import in_thread

if TYPE_CHECKING:
    from trunkline.app import App


def _key(kind: str, token: str) -> str:
    """Name an entry by a digest, since who can read the cache shall not be able to go on with a login."""
    return f"login_{kind}:{hashlib.sha256(token.encode('utf-8', 'surrogatepass')).hexdigest()}"


async def begin(app: App, token: str, what: dict[str, Any], seconds: float) -> None:
    """Keep what is needed when somebody comes back with ``token``: a state, a request token, a request's id.

    ``what`` has the name of the ``service`` among it.
    """
    await in_thread(app.cache.set, _key("begun", token), what, seconds)


async def begun(app: App, token: Any) -> dict[str, Any] | None:
    """Answer what was kept, and leave it; None for a token that is unknown, used or too old."""
    if not isinstance(token, str) or not token:
        return None
    found: dict[str, Any] | None = await in_thread(app.cache.get, _key("begun", token))
    return found


async def finish(app: App, token: Any, service: str, seconds: float) -> dict[str, Any] | None:
    """Answer what was kept for this service, once: whoever comes second, on whatever worker, gets None."""
    found = await begun(app, token)
    if found is None or found["service"] != service or not await first(app, "done", token, seconds):
        return None
    await in_thread(app.cache.delete, _key("begun", token))
    return found


async def first(app: App, kind: str, token: str, seconds: float) -> bool:
    """Say whether a token comes for the first time within ``seconds``, at least a minute."""
    return await in_thread(app.cache.add, _key(kind, token), 1, max(seconds, 60.0))
