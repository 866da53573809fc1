"""Settings of the platform's own mail, from the environment as all others."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from trunkline.settings import BadSettings


class EmailSettings(BaseSettings):
    """Who mails come from where nobody says, and how the machine itself sends them."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    from_address: str = Field(
        default="",
        validation_alias="MAIL_FROM_ADDRESS",
        description="Sender of mails that name none; `no-reply` at the host of `APP_URL` unless given.",
    )
    from_name: str = Field(default="", validation_alias="MAIL_FROM_NAME", description="Name of that sender.")
    driver: Literal["sendmail", "smtp"] = Field(
        default="sendmail",
        validation_alias=AliasChoices("MAIL_DRIVER", "MAIL_MAILER"),
        description="How `local_email` sends: sendmail or smtp.",
    )
    host: str = Field(default="127.0.0.1", validation_alias="MAIL_HOST", description="SMTP server of `local_email`.")
    port: int = Field(default=587, validation_alias="MAIL_PORT", description="Its port.")
    username: str = Field(default="", validation_alias="MAIL_USERNAME", description="Login at that server.")
    password: SecretStr = Field(
        default=SecretStr(""), validation_alias="MAIL_PASSWORD", description="Password of that login."
    )
    encryption: str = Field(
        default="",
        validation_alias="MAIL_ENCRYPTION",
        description="tls (STARTTLS, on port 465 from the first byte), ssl (from the first byte), or empty: if offered.",
    )
    sendmail: str = Field(
        default="sendmail -bs",
        validation_alias="SENDMAIL_DEFAULT_COMMAND",
        description="Mail program of `local_email`; with `-bs` it is spoken to in SMTP, else it reads the mail.",
    )

    def sender(self, app_url: str) -> str:
        """Answer the address that mails come from where nobody says."""
        return self.from_address or f"no-reply@{urlsplit(app_url).hostname or 'localhost'}"


def load() -> EmailSettings:
    """Read the settings; raises BadSettings that names the variable."""
    try:
        return EmailSettings()
    except ValidationError as error:
        said = "; ".join(
            f"{one['loc'][0]}: {one['msg']}" for one in error.errors(include_input=False, include_url=False)
        )
        raise BadSettings(f"Invalid settings: {said}") from None
