"""Mail through Amazon's Simple Email Service."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from pydantic import field_validator

from trunkline import Config, Field, Secret
from trunkline.errors import (
    BadGateway,
    BadRequest,
    GatewayTimeout,
    InternalError,
    TooLarge,
    TrunklineError,
    Unavailable,
)
from trunkline.threads import in_thread
from trunkline_email import EmailService, Mail

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord

log = logging.getLogger(__name__)
# What forms offer; any other region is taken as well (connectors 2.6).
REGIONS = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "eu-central-1", "eu-west-1", "eu-west-2",
    "eu-west-3", "eu-north-1", "me-south-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1",
    "ap-northeast-2", "sa-east-1",
)  # fmt: skip
_CONNECT, _ANSWER = 5.0, 30.0
_MOST_RECIPIENTS = 50
_RETRY_AFTER = "30"
_LOGIN = frozenset({
    "InvalidClientTokenId", "SignatureDoesNotMatch", "AccessDenied", "AccessDeniedException", "ExpiredToken",
    "MissingAuthenticationToken", "ExpiredTokenException", "IncompleteSignature", "OptInRequired",
    "UnrecognizedClientException",
})  # fmt: skip
_REFUSED = frozenset({
    "MessageRejected", "MailFromDomainNotVerified", "MailFromDomainNotVerifiedException", "InvalidParameterValue",
})  # fmt: skip
_LATER = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable", "InternalFailure"}
)


class AwsSesConfig(Config):
    """Configuration of SES (connectors 5.6)."""

    key: Secret | None = Field(default=None, title="Access Key ID", description="Access key that may send mail.")
    secret: Secret | None = Field(default=None, title="Secret Access Key", description="The secret of that access key.")
    region: str | None = Field(
        default=None, validate_default=True, title="Region", description="The region whose SES sends."
    )
    proxy: str | None = Field(default=None, title="Proxy", description="URL of a proxy.")
    endpoint: str | None = Field(
        default=None,
        title="Endpoint",
        description="URL of a server that speaks SES's protocol; empty for Amazon's own.",
        pattern=r"^(https?://\S+)?$",
    )

    @field_validator("region")
    @classmethod
    def _given(cls, value: str | None) -> str:
        if value is None or not value.strip():
            raise ValueError("it is needed")
        return value.strip()

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Offer the regions."""
        entries = super().schema_entries()
        for entry in entries:
            if entry["name"] == "region":
                entry.pop("length", None)
                entry |= {"type": "picklist", "values": [{"label": one, "name": one} for one in REGIONS]}
        return entries


class AwsSes(EmailService):
    """Hands mails to SES as they are."""

    label = "AWS SES"
    description = "Sends mail through Amazon's Simple Email Service."
    config: AwsSesConfig

    def __init__(self, app: App, record: ServiceRecord, config: AwsSesConfig) -> None:
        """Connect to nothing yet."""
        super().__init__(app, record, config)
        self._open = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._made: Any = None

    async def send(self, mail: Mail) -> None:
        """Send once: what an unanswered request has done nobody knows."""
        if not (self.config.key and self.config.secret):
            raise InternalError("Missing one or more configuration for AWS SES service.")
        if mail.needs_utf8:
            raise BadRequest("The mail service only takes addresses in ASCII.")
        if len(mail.recipients) > _MOST_RECIPIENTS:
            raise BadRequest(f"The mail service takes at most {_MOST_RECIPIENTS} recipients.")
        client = await self._client()
        from botocore import exceptions

        try:
            await client.send_raw_email(
                Source=mail.sender.address, Destinations=mail.recipients, RawMessage={"Data": mail.as_bytes()}
            )
        except (exceptions.BotoCoreError, exceptions.ClientError, OSError) as error:
            log.warning("a mail was not delivered: %s", error)
            raise _told(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._open.aclose()

    async def _client(self) -> Any:
        async with self._lock:
            if self._made is None:
                session, options = await in_thread(self._prepared)
                self._made = await self._open.enter_async_context(session.create_client("ses", **options))
        return self._made

    def _prepared(self) -> tuple[Any, dict[str, Any]]:
        """Import the library, which takes a second, and say how to use it."""
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session

        config, proxy = self.config, self.config.proxy
        assert config.key and config.secret  # noqa: S101, PT018 - as ``send`` has seen
        return get_session(), {
            "region_name": config.region,
            "endpoint_url": config.endpoint or None,
            "aws_access_key_id": config.key.get_secret_value(),
            "aws_secret_access_key": config.secret.get_secret_value(),
            "config": AioConfig(
                proxies={"http": proxy, "https": proxy} if proxy else None,
                connect_timeout=_CONNECT,
                read_timeout=_ANSWER,
                retries={"mode": "standard", "total_max_attempts": 1},
                warm_up_loader_caches=True,
            ),
        }


def _told(error: Any) -> TrunklineError:
    """Say what went wrong without the words of the service or the library, which name hosts and accounts (D10)."""
    from botocore import exceptions

    if isinstance(error, exceptions.ReadTimeoutError):
        return GatewayTimeout("The mail service did not answer in time.")
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError | OSError):
        return _unavailable()
    if not isinstance(error, exceptions.ClientError):
        return BadGateway("The mail service cannot be used as it is configured.")
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _LOGIN:
        return BadGateway("The mail service refused the login.")
    if code in _REFUSED:
        return BadRequest("The mail service refused the mail: its sender, a recipient or its content.")
    if code in _LATER or status == 429 or status >= 500:
        return _unavailable()
    if status == 413:
        return TooLarge("The mail is larger than the mail service takes.")
    return BadGateway("The mail service refused the request.")


def _unavailable() -> Unavailable:
    return Unavailable("The mail service is not available.", headers={"Retry-After": _RETRY_AFTER})
