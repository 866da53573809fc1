"""The type aws_sns: messages to topics and endpoints, and what there is of these (connectors 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import field_validator

from trunkline import Config, Field, Secret, Service
from trunkline.describe import Operation
from trunkline_aws_sns.connection import Connection, Settings
from trunkline_aws_sns.describing import MESSAGE, SENT
from trunkline_aws_sns.resources import Applications, Endpoints, Subscriptions, Topics, published

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.call import Call
    from trunkline.db.records import ServiceRecord

# What forms offer; any other region is taken as well (connectors 2.6).
REGIONS = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "eu-central-1", "eu-west-1", "eu-west-2",
    "eu-west-3", "eu-north-1", "me-south-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1",
    "ap-northeast-2", "sa-east-1",
)  # fmt: skip


class AwsSnsConfig(Config):
    """Configuration of SNS (connectors 8.1), and beyond it where to find another server and how long to wait."""

    key: Secret | None = Field(
        default=None,
        title="Access Key ID",
        description="Access key; empty for that of the environment or of the machine's role.",
    )
    secret: Secret | None = Field(
        default=None, title="Secret Access Key", description="The secret of that access key; empty as above."
    )
    region: str | None = Field(default=None, validate_default=True, title="Region", description="The region.")
    proxy: str | None = Field(default=None, title="Proxy", description="URL of a proxy.")
    endpoint: str | None = Field(
        default=None,
        title="Endpoint",
        description="URL of a server that speaks Amazon's protocol; empty for Amazon's own.",
        pattern=r"^(https?://\S+)?$",
    )
    timeout: int = Field(
        default=10, ge=1, le=300, title="Timeout", description="Seconds that a request may wait for an answer."
    )

    @field_validator("region")
    @classmethod
    def _given(cls, value: str | None) -> str:
        if value is None or not value.strip():
            raise ValueError("it must be given")
        return value.strip()

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Render the fields, with the regions that forms offer."""
        entries = super().schema_entries()
        for entry in entries:
            if entry["name"] == "region":
                entry.pop("length", None)
                entry |= {"type": "picklist", "values": [{"label": one, "name": one} for one in REGIONS]}
        return entries


class AwsSns(Service):
    """One region of an account."""

    label = "AWS SNS"
    description = "Sends notifications through Amazon SNS, and manages topics, subscriptions, applications, endpoints."
    group = "Notification"
    resources = (Topics, Subscriptions, Applications, Endpoints)
    operations: ClassVar = {"POST": Operation("Send a message.", "Message", body=MESSAGE, reply=SENT)}
    config: AwsSnsConfig

    def __init__(self, app: App, record: ServiceRecord, config: AwsSnsConfig) -> None:
        """Connect to nothing yet."""
        super().__init__(app, record, config)
        key, secret = (one.get_secret_value() if one else None for one in (config.key, config.secret))
        settings = Settings(
            key or None, secret or None, config.region or "", config.endpoint or None, config.proxy or None,
            config.timeout,
        )  # fmt: skip
        self.connection = Connection(settings)

    async def post(self, call: Call, _rest: tuple[str, ...]) -> Any:
        """Send a message to the topic or endpoint that it names."""
        return await published(self.connection, call.body, None)

    async def close(self) -> None:
        """Let go of connections."""
        await self.connection.close()
