"""Settings of scripting, from the environment as all others."""

from __future__ import annotations

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from trunkline.settings import BadSettings


class ScriptSettings(BaseSettings):
    """Which languages may be used, and how much a script may use."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    disable: str = Field(
        default="",
        validation_alias="DF_SCRIPTING_DISABLE",
        description="`all`, or the languages that are switched off, comma separated.",
    )
    seconds: float = Field(
        default=10.0, gt=0, validation_alias="SCRIPT_TIMEOUT", description="Seconds that a script may take."
    )
    cpu: int = Field(
        default=5, gt=0, validation_alias="SCRIPT_CPU", description="Seconds of a processor that it may use."
    )
    memory: int = Field(
        default=256, ge=64, validation_alias="SCRIPT_MEMORY", description="MiB of memory that it may use."
    )
    network: bool = Field(
        default=False, validation_alias="SCRIPT_NETWORK", description="Whether scripts may use the network themselves."
    )
    most: int = Field(
        default=8, gt=0, validation_alias="SCRIPT_PROCESSES", description="Most scripts that a worker runs at a time."
    )

    def refuses(self, language: str) -> bool:
        """Say whether a language is switched off."""
        off = {one.strip().lower() for one in self.disable.split(",")}
        return "all" in off or language in off


def load() -> ScriptSettings:
    """Read the settings; raises BadSettings that names the variable."""
    try:
        return ScriptSettings()
    except ValidationError as error:
        said = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors(include_input=False))
        raise BadSettings(f"Invalid settings: {said}") from None
