"""From what the remote server answers to a reply: headers, links, errors."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING

from trunkline import json
from trunkline.call import Call, Reply

if TYPE_CHECKING:
    from trunkline.remote import Answer

# What would speak for this server rather than for the remote one: cookies, origins, certificates, who answered when.
_NOT_THEIRS = frozenset(
    {"set-cookie", "set-cookie2", "strict-transport-security", "clear-site-data", "alt-svc", "server", "date"}
    | {"public-key-pins", "x-request-id", "content-type", "location"}
)
_MOST_ERROR = 64 * 1024
_TEXT = re.compile(r"text/.*|.*[/+](json|xml|javascript|x-ndjson|yaml)")
_ENCODED = ("", "identity")


def headers_of(answer: Answer, *, whole: bool) -> dict[str, str]:
    """Answer the headers that are passed on; ``whole`` says that the content is as it came, so its length holds."""
    found: dict[str, str] = {}
    for name, value in answer.headers:
        if name in _NOT_THEIRS or name.startswith(("access-control-", "x-dreamfactory-")):
            continue
        if name in ("content-length", "content-encoding", "etag", "content-md5", "digest") and not whole:
            continue
        found[name] = f"{found[name]}, {value}" if name in found and name != "content-length" else value
    found.setdefault("x-content-type-options", "nosniff")
    return found


def is_text(answer: Answer) -> bool:
    """Say whether content is text that can be read and changed."""
    kind = answer.header("content-type").partition(";")[0].strip().lower()
    return bool(_TEXT.fullmatch(kind)) and answer.header("content-encoding").lower() in _ENCODED


async def reply_of(call: Call, answer: Answer, links: Mapping[str, str] | None, most: int) -> Reply:
    """Make the reply of a good answer; ``links`` say what takes the place of which address in text."""
    media_type = answer.header("content-type") or "application/octet-stream"
    replaced = bool(links) and is_text(answer)
    headers = headers_of(answer, whole=not replaced)
    if answer.status == 204:
        await answer.content.aclose()
        return Reply(None, 204, headers)
    content = answer.content
    if links and replaced:
        content = await _begun(_relinked(content, links))
    if call.over_http:
        return Reply(content, answer.status, headers, media_type)
    answer.content = content
    return held(await answer.read(most), answer.status, headers, media_type)


def held(content: bytes, status: int, headers: dict[str, str], media_type: str) -> Reply:
    """Make a reply for those inside, who want values where there are some."""
    if media_type.partition(";")[0].strip().lower().endswith(("/json", "+json")):
        try:
            return Reply(json.loads(content), status, headers)
        except ValueError:
            pass  # It says that it is JSON, and is not; so it is handed on as it is.
    return Reply(content, status, headers, media_type)


async def refusal_of(answer: Answer) -> Reply:
    """Make the reply of an answer that is none: the envelope with the remote status and words."""
    status = answer.status
    headers = {name: value for name, value in headers_of(answer, whole=False).items() if name == "retry-after"}
    if status == 304:
        headers = headers_of(answer, whole=False)
        await answer.content.aclose()
        return Reply(b"", 304, headers, answer.header("content-type") or "application/octet-stream")
    text = (await answer.begin_of(_MOST_ERROR)).decode("utf-8", "replace") if answer_is_plain(answer) else ""
    if not text:
        await answer.content.aclose()
    message = text or f"The remote server answered with status {status}."
    return Reply(
        {"error": {"code": status, "context": None, "message": message, "status_code": status}}, status, headers
    )


def answer_is_plain(answer: Answer) -> bool:
    """Say whether content is not packed."""
    return answer.header("content-encoding").lower() in _ENCODED


async def _begun(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Begin, so that closing closes also what it comes from."""
    await anext(pieces)
    return pieces


async def _relinked(pieces: AsyncGenerator[bytes, None], links: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
    """Yield nothing at first, then the content with other links; holds no more than the longest of them."""
    found = {old.encode(): new.encode() for old, new in links.items()}
    longest = max(map(len, found))
    pattern = re.compile(b"(?:%s)(?![\\w.:@-])" % b"|".join(map(re.escape, sorted(found, key=len, reverse=True))))
    left = b""
    try:
        yield b""
        async for piece in pieces:
            left += piece
            done, place = [], 0
            # A link further on may go on in the next piece.
            until = len(left) - longest
            for one in pattern.finditer(left):
                if one.start() >= until:
                    break
                done += [left[place : one.start()], found[one.group()]]
                place = one.end()
            if place < until:
                done.append(left[place:until])
                place = until
            left = left[place:]
            if some := b"".join(done):
                yield some
        yield pattern.sub(lambda one: found[one.group()], left)
    finally:
        await pieces.aclose()
