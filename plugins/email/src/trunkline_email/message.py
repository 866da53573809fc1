"""A mail: what templates and requests say is merged, filled in and put together (connectors 5.3)."""

from __future__ import annotations

import html
import mimetypes
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import PurePosixPath
from typing import Any

from trunkline.call import Call
from trunkline.errors import BadRequest
from trunkline.lookups import Lookups
from trunkline_email.addresses import Mailbox, mailbox, mailboxes, single_line

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail."""

    name: str
    content: bytes
    media_type: str = ""

    @classmethod
    def of(cls, name: str, content: bytes, media_type: str = "") -> Attachment:
        """Take the last part of a path as the name, without what could end a header (checklist 7)."""
        last = PurePosixPath(name.replace("\\", "/")).name
        kept = "".join(one if one.isprintable() else "_" for one in last)[:_LONGEST_NAME]
        return cls(kept or "attachment", content, media_type)

    @property
    def kind(self) -> tuple[str, str]:
        """The media type in its two parts, by the name where it is not said; never one that has parts of its own."""
        given = self.media_type.partition(";")[0].strip().lower()
        found = given if re.fullmatch(r"[a-z0-9.+\-]+/[a-z0-9.+\-]+", given) else mimetypes.guess_type(self.name)[0]
        main, _, sub = (found or "application/octet-stream").partition("/")
        return (main, sub) if main not in ("multipart", "message") else ("application", "octet-stream")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that is ready to go."""

    sender: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    reply_to: Mailbox | None = None
    subject: str = ""
    text: str | None = None
    html: str | None = None
    attachments: Sequence[Attachment] = field(default=())

    @property
    def recipients(self) -> list[str]:
        """All addresses that it goes to, each once."""
        return list(dict.fromkeys(one.address for one in (*self.to, *self.cc, *self.bcc)))

    @property
    def needs_utf8(self) -> bool:
        """Whether an address has characters that only servers with SMTPUTF8 take."""
        return not "".join([self.sender.local, *self.recipients, *self._reply_local()]).isascii()

    def _reply_local(self) -> tuple[str, ...]:
        return (self.reply_to.local,) if self.reply_to is not None else ()

    def as_bytes(self) -> bytes:
        """Render it as it is transmitted; blind copies are in no header."""
        message = EmailMessage(policy=policy.SMTPUTF8 if self.needs_utf8 else policy.SMTP)
        message["From"] = self.sender.header
        message["To"] = [one.header for one in self.to]
        if self.cc:
            message["Cc"] = [one.header for one in self.cc]
        if self.reply_to is not None:
            message["Reply-To"] = self.reply_to.header
        message["Subject"] = self.subject
        message["Date"] = formatdate()
        # With a domain of its own it does not tell the machine's name, nor ask for it.
        message["Message-ID"] = make_msgid(domain=self.sender.domain)
        if self.text is not None or self.html is None:
            message.set_content(_storable(self.text or ""))
            if self.html is not None:
                message.add_alternative(_storable(self.html), subtype="html")
        else:
            message.set_content(_storable(self.html), subtype="html")
        for one in self.attachments:
            main, sub = one.kind
            message.add_attachment(one.content, maintype=main, subtype=sub, filename=one.name)
        return message.as_bytes()


def _storable(text: str) -> str:
    """Put a question mark in place of half characters, which no encoding has."""
    return text.encode("utf-8", "replace").decode()


def composed(
    call: Call, data: Mapping[str, Any], lookups: Lookups, sender: tuple[str, str], attachments: Sequence[Attachment]
) -> Mail:
    """Make a mail of the effective data; ``sender`` is address and name where the data have none.

    Raises BadRequest for addresses that are none, and for what could begin another header.
    """
    fill = _filler(data, lookups)
    # In mails that the platform writes for itself the values come from strangers, such as a name to register with.
    own = _filler(data, lookups, html.escape) if call.caller.is_admin and call.caller.user is None else fill
    to = mailboxes(data.get("to"), field="to")
    if not to:
        raise BadRequest("Invalid email - ''.", context={"to": ["Invalid email - ''."]})
    reply_to = data.get("reply_to_email")
    return Mail(
        sender=mailbox(data.get("from_email") or sender[0], data.get("from_name") or sender[1], field="from_email"),
        to=to,
        cc=mailboxes(data.get("cc"), field="cc"),
        bcc=mailboxes(data.get("bcc"), field="bcc"),
        reply_to=mailbox(reply_to, data.get("reply_to_name"), field="reply_to_email") if reply_to else None,
        subject=single_line(fill(_text(data, "subject") or ""), "subject"),
        text=_filled(fill, _text(data, "body_text")),
        html=_filled(own, _text(data, "body_html")),
        attachments=attachments,
    )


def _text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value)
    raise BadRequest(f"The {name} must be text.")


def _filled(fill: Callable[[str], str], text: str | None) -> str | None:
    return None if text is None else fill(text)


def _filler(data: Mapping[str, Any], lookups: Lookups, quote: Callable[[str], str] = str) -> Callable[[str], str]:
    """Make a function that fills lookups and placeholders at once, so that no value is looked into again."""

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if (looked_up := lookups.value(name)) is not None:
            return _scalar(looked_up) or ""
        if name not in data or (text := _scalar(data[name])) is None:
            return found.group()
        return quote(text)

    return lambda text: _PLACEHOLDER.sub(value, text)


def _scalar(value: Any) -> str | None:
    """Answer a placeholder's value as text; None for what is no scalar, whose placeholder stays."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
