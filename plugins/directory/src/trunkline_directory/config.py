"""Settings that directory services share (connectors 13.4); a connector puts them into the order of its form."""

from __future__ import annotations

import ssl
from typing import Annotated, Literal, Self

from pydantic import model_validator

from trunkline import Field, Secret
from trunkline.config import MULTILINE
from trunkline_directory.address import Address, Encryption
from trunkline_directory.names import normal
from trunkline_user.external import ExternalConfig


class DirectoryConfig(ExternalConfig):
    """Where the directory is, and what its groups mean."""

    host: str = Field(
        min_length=1,
        title="Host",
        description="The directory server: a name or address, perhaps with a port, or `ldaps://` and a name.",
    )
    base_dn: str = Field(
        min_length=1, title="Base DN", description="Where people and groups are searched, such as `dc=example,dc=org`."
    )
    account_suffix: str | None = Field(
        default=None, title="Account Suffix", description="Appended to the names that people log in with."
    )
    map_group_to_role: bool = Field(
        default=False,
        title="Map Group To Role",
        description="Whether people get the role whose DN is that of a group of theirs.",
    )

    @model_validator(mode="after")
    def _base_is_a_name(self) -> Self:
        """Refuse what can not be a name in a directory."""
        if normal(self.base_dn) is None:
            raise ValueError("base_dn is not a name in a directory, such as dc=example,dc=org")
        return self


class AccountConfig(DirectoryConfig):
    """Who searches, where not everybody may."""

    username: str | None = Field(
        default=None, title="Username", description="Account of the service that searches the directory."
    )
    password: Annotated[Secret | None, MULTILINE] = Field(default=None, title="Password", description="Its password.")

    @model_validator(mode="after")
    def _account_has_a_password(self) -> Self:
        """Demand both: a login without a password would be one as nobody."""
        if bool(self.username) != bool(self.password and self.password.get_secret_value()):
            raise ValueError("username and password must be given both, or neither")
        return self


class ConnectionConfig(AccountConfig):
    """How the directory is reached; these settings are ours."""

    encryption: Literal["none", "starttls", "ldaps"] | None = Field(
        default=None,
        title="Encryption",
        description="`starttls` or `ldaps`; unless given it is `ldaps` for such a host or port, and none otherwise.",
    )
    ca_certificate: Annotated[str | None, MULTILINE] = Field(
        default=None,
        title="CA Certificate",
        description="Certificates, as PEM, of who signed the server's; those of the system unless given.",
    )
    timeout: int = Field(
        default=10, ge=1, le=60, title="Timeout", description="Seconds that a login or a search may take."
    )

    @model_validator(mode="after")
    def _host_is_an_address(self) -> Self:
        """Refuse a host that is none, and certificates that are none."""
        self.address  # noqa: B018 - it raises
        if self.ca_certificate:
            try:
                ssl.create_default_context(cadata=self.ca_certificate)
            except (ssl.SSLError, ValueError, TypeError):
                raise ValueError("ca_certificate has no certificate in it, or something else as well") from None
        return self

    @property
    def address(self) -> Address:
        """The address that host and encryption come to; raises ValueError."""
        wanted: Encryption | None = self.encryption
        return Address.of(self.host, wanted)
