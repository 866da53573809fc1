"""The type aws_s3: which bucket is served, and with which credentials."""

from __future__ import annotations

from typing import ClassVar

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline_aws_s3.connection import Connection, Settings
from trunkline_aws_s3.store import S3Store
from trunkline_files import FilesService
from trunkline_files.object_store import ObjectConfig, given

# What forms offer; any other region is taken as well (connectors 2.6).
REGIONS = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "eu-central-1", "eu-west-1", "eu-west-2",
    "eu-west-3", "eu-north-1", "me-south-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1",
    "ap-northeast-2", "sa-east-1",
)  # fmt: skip


class AwsS3Config(ObjectConfig):
    """Configuration of S3 (connectors 4.13)."""

    extensions: ClassVar = ("endpoint", "path_style")
    offered: ClassVar = {"region": REGIONS}

    key: Secret | None = Field(
        default=None,
        title="Access Key ID",
        description="Access key; empty for that of the environment or of the machine's role.",
    )
    secret: Secret | None = Field(
        default=None, title="Secret Access Key", description="The secret of that access key; empty as above."
    )
    region: str | None = Field(
        default=None, validate_default=True, title="Region", description="The region of the bucket."
    )
    proxy: str | None = Field(default=None, title="Proxy", description="URL of a proxy.")
    endpoint: str | None = Field(
        default=None,
        title="Endpoint",
        description="URL of a server that speaks S3's protocol; empty for Amazon's own.",
        pattern=r"^(https?://\S+)?$",
    )
    path_style: bool = Field(
        default=False,
        title="Path Style",
        description="Whether the bucket's name stands in the path of URLs and not in the host's name.",
    )

    @field_validator("region")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        return given(value)


class AwsS3(FilesService):
    """One bucket."""

    label = "AWS S3"
    description = "Serves a bucket of Amazon S3, or of a server that speaks its protocol."
    config: AwsS3Config

    def open_store(self) -> S3Store:
        """Make the store; it connects when first used."""
        config = self.config
        key, secret = (one.get_secret_value() if one else None for one in (config.key, config.secret))
        settings = Settings(
            key or None, secret or None, config.region or "", config.endpoint or None, config.proxy or None,
            path_style=config.path_style,
        )  # fmt: skip
        return S3Store(Connection(settings), config.container or "")
