"""What a client wants to have imported: an upload, or a URL from which it is fetched (system-api 7.15 and 20.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trunkline.bodies import uploads
from trunkline.call import Call
from trunkline.errors import BadRequest
from trunkline.outgoing import BadAddress

if TYPE_CHECKING:
    from trunkline.app import App


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import; ``name`` tells its kind, ``media_type`` may."""

    name: str
    media_type: str
    content: bytes

    @property
    def extension(self) -> str:
        """The end of the name, in lower case."""
        return self.name.rpartition(".")[2].lower() if "." in self.name else ""


async def source_of(app: App, call: Call) -> Source | None:
    """Answer the one file of a call, or None when there is neither an upload nor a URL; raises BadRequest.

    A URL is fetched through the guard, so that nobody reaches our own network by it.
    """
    found = [Source(one.name, one.media_type, one.content) for one in await uploads(call)]
    url = call.option("import_url")
    if len(found) > 1 or (found and url):
        raise BadRequest("Only one file can be imported at a time.")
    if found:
        return found[0]
    if url is None:
        return None
    if not isinstance(url, str) or not url:
        raise BadRequest("Invalid import URL: it must be text.")
    try:
        fetched = await app.outgoing.fetch(url)
    except BadAddress as error:
        raise BadRequest(f"Invalid import URL: {error.message}") from None
    return Source(fetched.name, fetched.media_type, fetched.content)
