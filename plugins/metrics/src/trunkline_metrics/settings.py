"""Settings of metrics and traces, from the environment as all others."""

from __future__ import annotations

import ipaddress
from functools import cached_property

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from trunkline.settings import BadSettings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class MetricsSettings(BaseSettings):
    """Whether there are metrics, and for whom."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    enabled: bool = Field(
        default=False,
        validation_alias=AliasChoices("METRICS_ENABLED", "PROMETHEUS_ENABLED"),
        description="Count and time requests, and answer `GET /metrics`.",
    )
    allowed: str = Field(
        default="127.0.0.0/8,::1",
        validation_alias="METRICS_ALLOWED",
        description="Addresses and networks that may read the metrics, comma separated; others get a 403.",
    )
    otlp_endpoint: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Where traces go (OTLP, HTTP; needs `trunkline-metrics[otel]`); other `OTEL_*` variables count.",
    )

    @field_validator("allowed")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for one in _split(value):
            ipaddress.ip_network(one)
        return value

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """The networks of those who may read."""
        return tuple(ipaddress.ip_network(one) for one in _split(self.allowed))

    def admits(self, client: str | None) -> bool:
        """Say whether a client of this address may read; one without an address came over a local socket."""
        if client is None:
            return True
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)


def _split(value: str) -> list[str]:
    return [one.strip() for one in value.split(",") if one.strip()]


def load() -> MetricsSettings:
    """Read the settings; raises BadSettings that names the variable."""
    try:
        return MetricsSettings()
    except ValidationError as error:
        said = "; ".join(
            f"{one['loc'][0]}: {one['msg']}" for one in error.errors(include_input=False, include_url=False)
        )
        raise BadSettings(f"Invalid settings: {said}") from None
