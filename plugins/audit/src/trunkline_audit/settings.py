"""Settings of the audit trail, from the environment as all others."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from trunkline.settings import BadSettings


class AuditSettings(BaseSettings):
    """What is kept, where, and for how long."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    enabled: bool = Field(default=True, validation_alias="AUDIT_ENABLED", description="Keep an audit trail.")
    log: Path | None = Field(
        default=None,
        validation_alias="AUDIT_LOG",
        description="File that records are appended to as JSON lines; the logger `trunkline.audit` (info) without it.",
    )
    retention_days: int = Field(
        default=90,
        ge=0,
        validation_alias="AUDIT_RETENTION_DAYS",
        description="Days that records are kept; 0 is for ever.",
    )
    queue: int = Field(
        default=10_000,
        ge=1,
        validation_alias="AUDIT_QUEUE",
        description="Most records of one worker that wait to be stored; what comes beyond is dropped and counted.",
    )


def load() -> AuditSettings:
    """Read the settings; raises BadSettings that names the variable."""
    try:
        return AuditSettings()
    except ValidationError as error:
        said = "; ".join(
            f"{one['loc'][0]}: {one['msg']}" for one in error.errors(include_input=False, include_url=False)
        )
        raise BadSettings(f"Invalid settings: {said}") from None
