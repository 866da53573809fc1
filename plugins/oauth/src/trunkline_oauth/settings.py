"""Settings of logins by OAuth, from the environment as all others."""

from __future__ import annotations

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from trunkline.settings import BadSettings


class OAuthSettings(BaseSettings):
    """How long a login may take, and where browsers go after it."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    seconds: int = Field(
        default=180,
        ge=10,
        validation_alias="OAUTH_CACHE_TTL",
        description="Seconds within which a login by OAuth must come back.",
    )
    redirect_url: str = Field(
        default="",
        validation_alias="OAUTH_REDIRECT_URL",
        description="Page to which browsers go after a login by OAuth that named none.",
    )
    default_path: str = Field(
        default="/",
        validation_alias="OAUTH_DEFAULT_REDIRECT_PATH",
        description="Path on this server to which they go without such a page.",
    )
    allowed_domains: str = Field(
        default="",
        validation_alias="OAUTH_ALLOWED_REDIRECT_DOMAINS",
        description="Hosts, comma separated, with `*`, whose pages a login may name; that of `APP_URL` unless given.",
    )


def load() -> OAuthSettings:
    """Read the settings; raises BadSettings that names the variable."""
    try:
        return OAuthSettings()
    except ValidationError as error:
        said = "; ".join(
            f"{one['loc'][0]}: {one['msg']}" for one in error.errors(include_input=False, include_url=False)
        )
        raise BadSettings(f"Invalid settings: {said}") from None
