"""What the types on OpenStack's storage have to be told."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import field_validator

from trunkline import Field
from trunkline_files.object_store import ObjectConfig, given


class SwiftConfig(ObjectConfig):
    """Where to log in, and which container; subclasses add the secret, and say which versions they speak."""

    # In which order forms show the fields.
    order: ClassVar[tuple[str, ...]]
    # How the address of an identity service may end.
    versions: ClassVar[tuple[str, ...]]

    username: str | None = Field(default=None, validate_default=True, title="Username", description="Who logs in.")
    tenant_name: str | None = Field(
        default=None,
        validate_default=True,
        title="Tenant Name",
        description="The project, formerly called tenant; of Rackspace the number of the account.",
    )
    url: str | None = Field(
        default=None,
        validate_default=True,
        title="URL",
        description="Address of the identity service, ending in its version, such as /v3.",
    )
    region: str | None = Field(
        default=None, validate_default=True, title="Region", description="The region whose storage is used."
    )

    @field_validator("username", "tenant_name", "region")
    @classmethod
    def _needed(cls, value: str | None) -> str | None:
        return given(value)

    @field_validator("url")
    @classmethod
    def _with_version(cls, value: str | None) -> str | None:
        text = given(value).rstrip("/")
        if not text.startswith(("http://", "https://")) or not text.endswith(cls.versions):
            raise ValueError(f"it must be a URL that ends in {' or '.join(cls.versions)}")
        return text

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Render the fields in the order that clients know."""
        places = {name: place for place, name in enumerate(cls.order)}
        return sorted(super().schema_entries(), key=lambda entry: places.get(entry["name"], len(places)))
