"""The service type ``aws_dynamodb``: its settings, and how its store is made of them."""

from __future__ import annotations

from typing import Any

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline_aws_dynamodb.connection import Connection, Settings
from trunkline_aws_dynamodb.store import DynamoStore
from trunkline_database.service import DatabaseConfig, DatabaseService

# What forms offer; any other region is taken as well (connectors 2.6).
REGIONS = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "eu-central-1", "eu-west-1", "eu-west-2",
    "eu-west-3", "eu-north-1", "me-south-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1",
    "ap-northeast-2", "sa-east-1",
)  # fmt: skip


class AwsDynamodbConfig(DatabaseConfig):
    """Configuration of DynamoDB (connectors 14.7), and beyond it where to find another server and how long to wait."""

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
        default=20, ge=1, le=300, title="Timeout", description="Seconds that a request may wait for an answer."
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


class AwsDynamodb(DatabaseService):
    """The tables of an account in one region."""

    label = "AWS DynamoDB"
    description = "Serves the tables of Amazon DynamoDB."
    lacks = {  # noqa: RUF012 - a class attribute of the kernel
        "alter_column", "any_names", "columns_demanded", "db_functions", "foreign_keys", "functions", "key_order",
        "keyless_tables", "procedures", "unique",
    }  # fmt: skip
    config: AwsDynamodbConfig

    def open_store(self) -> DynamoStore:
        """Make the store; it connects when first used."""
        config = self.config
        key, secret = (one.get_secret_value() if one else None for one in (config.key, config.secret))
        settings = Settings(
            key or None, secret or None, config.region or "", config.endpoint or None, config.proxy or None,
            config.timeout,
        )  # fmt: skip
        return DynamoStore(Connection(settings))
