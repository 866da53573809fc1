"""Mail through an SMTP server."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from trunkline import Field, Secret
from trunkline.vault import Vault
from trunkline_email import EmailService, Mail, ParameterConfig
from trunkline_email.smtp import SmtpServer, deliver


class SmtpEmailConfig(ParameterConfig):
    """Configuration of SMTP (connectors 5.6)."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    host: str = Field(title="Host", description="Name or address of the SMTP server.", min_length=1)
    port: str = Field(default="587", title="Port", description="Its port.", pattern=r"^\d{1,5}$")
    encryption: str | None = Field(
        default=None,
        title="Encryption",
        description="tls (STARTTLS, on port 465 from the first byte), ssl (from the first byte), or empty: if offered.",
    )
    username: Secret | None = Field(default=None, title="Username", description="Who logs in; empty for nobody.")
    password: Secret | None = Field(default=None, title="Password", description="The password of that login.")

    @classmethod
    def merged(cls, stored: dict[str, Any], given: dict[str, Any], vault: Vault) -> dict[str, Any]:
        """Keep the port as the text that clients know it as."""
        result = super().merged(stored, given, vault)
        if isinstance(result.get("port"), int):
            result["port"] = str(result["port"])
        return result


class SmtpEmail(EmailService):
    """Hands mails to an SMTP server."""

    label = "SMTP"
    description = "Sends mail through an SMTP server."
    config: SmtpEmailConfig

    async def send(self, mail: Mail) -> None:
        """Connect, log in where that is configured, and deliver."""
        config = self.config
        username, password = (one.get_secret_value() if one else "" for one in (config.username, config.password))
        server = SmtpServer(config.host, int(config.port), config.encryption or "", username, password)
        await deliver(server, mail)
