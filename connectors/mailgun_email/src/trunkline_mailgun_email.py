"""Mail through Mailgun's HTTP interface."""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline.errors import BadGateway, BadRequest, InternalError, TooLarge, TrunklineError, Unavailable
from trunkline.remote import Dialling, Remote, Request
from trunkline_email import EmailService, Mail, ParameterConfig

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord

log = logging.getLogger(__name__)
_BASES = {"": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
_CONNECT, _ANSWER = 5.0, 30.0
_MOST_RECIPIENTS = 1000
_RETRY_AFTER = "30"
# Bytes of an answer that are worth reading.
_MOST_TOLD = 2000


class MailgunEmailConfig(ParameterConfig):
    """Configuration of Mailgun (connectors 5.6)."""

    domain: str | None = Field(
        default=None, validate_default=True, title="Mailgun Domain", description="The domain that mails are sent for."
    )
    key: Secret = Field(title="API Key", description="A key that may send for that domain.", min_length=1)
    region_endpoint: Literal["", "eu"] = Field(
        default="", title="Region Endpoint", description="Empty for the United States, eu for Europe."
    )
    endpoint: str | None = Field(
        default=None,
        title="Endpoint",
        description="URL of a server that speaks Mailgun's protocol; empty for Mailgun's own of the region.",
        pattern=r"^(https?://\S+)?$",
    )

    @field_validator("domain")
    @classmethod
    def _given(cls, value: str | None) -> str:
        if value is None or not value.strip():
            raise ValueError("it is needed")
        return value.strip()

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Render the fields in the order that forms know, ours at the end."""
        place = {"parameters": 1, "endpoint": 2}
        return sorted(super().schema_entries(), key=lambda entry: place.get(entry["name"], 0))


class MailgunEmail(EmailService):
    """Hands finished mails to Mailgun."""

    label = "Mailgun"
    description = "Sends mail through Mailgun."
    config: MailgunEmailConfig

    def __init__(self, app: App, record: ServiceRecord, config: MailgunEmailConfig) -> None:
        """Connect to nothing yet."""
        super().__init__(app, record, config)
        self._remote = Remote(app.outgoing, Dialling(connect=_CONNECT, wait=_ANSWER, redirects=0))

    async def send(self, mail: Mail) -> None:
        """Send once: what an unanswered request has done nobody knows."""
        domain, key = self.config.domain, self.config.key.get_secret_value()
        if not domain or not key:
            raise InternalError("Missing one or more configuration for MailGun service.")
        if mail.needs_utf8:
            raise BadRequest("The mail service only takes addresses in ASCII.")
        if len(mail.recipients) > _MOST_RECIPIENTS:
            raise BadRequest(f"The mail service takes at most {_MOST_RECIPIENTS} recipients.")
        base = (self.config.endpoint or _BASES[self.config.region_endpoint]).rstrip("/")
        login = base64.b64encode(f"api:{key}".encode()).decode()
        kind, content = _form(mail)
        headers = (("Authorization", f"Basic {login}"), ("Content-Type", kind), ("Accept", "application/json"))
        answer = await self._remote.send(
            Request("POST", f"{base}/v3/{quote(domain, safe='')}/messages.mime", headers, content)
        )
        told = await answer.begin_of(_MOST_TOLD)
        if answer.status != 200:
            log.warning("a mail was not delivered: %s %s", answer.status, told.decode("utf-8", "replace"))
            raise _refusal(answer.status)

    async def close(self) -> None:
        """Close the connections."""
        await self._remote.close()


def _form(mail: Mail) -> tuple[str, bytes]:
    """Make the form: a field for each recipient, whatever the headers say, and the mail as a file."""
    import httpx2

    request = httpx2.Request(
        "POST",
        "https://form",
        data={"to": mail.recipients},
        files={"message": ("message.eml", mail.as_bytes(), "message/rfc822")},
    )
    return request.headers["content-type"], request.read()


def _refusal(status: int) -> TrunklineError:
    """Say what went wrong without the words of the service, which name accounts (D10)."""
    if status == 400:
        return BadRequest("The mail service refused the mail: its sender, a recipient or its content.")
    if status == 401:
        return BadGateway("The mail service refused the login.")
    if status == 404:
        return BadGateway("The mail service does not know the domain of this service.")
    if status == 413:
        return TooLarge("The mail is larger than the mail service takes.")
    if status == 429 or status >= 500:
        return Unavailable("The mail service is not available.", headers={"Retry-After": _RETRY_AFTER})
    return BadGateway(f"The mail service refused the request ({status}).")
