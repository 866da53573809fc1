"""Settings of the ``user`` service (system-api 8.7)."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, model_validator

from trunkline import Config, Field


class AppRole(BaseModel):
    """The role that those who register get with one app."""

    app_id: int = Field(title="App", description="Id of the app.")
    role_id: int = Field(title="Role", description="Id of the role.")


class UserConfig(Config):
    """Settings of the user service."""

    allow_open_registration: bool = Field(
        default=False, title="Allow Open Registration", description="Whether anybody may register."
    )
    open_reg_role_id: int | None = Field(
        default=None, title="Default Open Reg Role", description="Role of those who registered themselves."
    )
    app_role_map: list[AppRole] = Field(
        default=[], title="Per App Open Reg Role", description="Other roles of theirs, by app."
    )
    open_reg_email_service_id: int | None = Field(
        default=None,
        title="Open Reg Email Service",
        description="Email service that asks them to confirm; without it nobody needs to.",
    )
    open_reg_email_template_id: int | None = Field(
        default=None, title="Open Reg Email Template", description="Template of these mails."
    )
    invite_email_service_id: int | None = Field(
        default=None, title="Invite Email Service", description="Email service for invitations."
    )
    invite_email_template_id: int | None = Field(
        default=None, title="Invite Email Template", description="Template of invitations."
    )
    password_email_service_id: int | None = Field(
        default=None, title="Password Email Service", description="Email service for password resets."
    )
    password_email_template_id: int | None = Field(
        default=None, title="Password Email Template", description="Template of these mails."
    )
    alt_auth_db_service_id: int | None = Field(
        default=None,
        title="Alternate Authenticator",
        description="Database service with a table of users, where `DF_ENABLE_ALTERNATE_AUTH` is on.",
    )
    alt_auth_table: str | None = Field(default=None, title="Alternate Table", description="That table.")
    alt_auth_username_field: str | None = Field(
        default=None, title="Alternate Username", description="Its column with the name, and the request's field."
    )
    alt_auth_password_field: str | None = Field(
        default=None, title="Alternate Password", description="Its column with the password, and the request's field."
    )
    alt_auth_email_field: str | None = Field(
        default=None, title="Alternate Email", description="Its column with the address."
    )
    alt_auth_other_fields: str | None = Field(
        default=None, title="Alternate Other Fields", description="More fields that must match, comma separated."
    )
    alt_auth_filter: str | None = Field(
        default=None, title="Alternate Filter", description="What else rows must have, as `a=1,b=2`."
    )

    @model_validator(mode="after")
    def _alternate_is_whole(self) -> Self:
        """Demand the four things that the alternate login cannot do without."""
        needed = ("table", "username_field", "password_field", "email_field")
        missing = [f"alt_auth_{one}" for one in needed if not getattr(self, f"alt_auth_{one}")]
        if self.alt_auth_db_service_id is not None and missing:
            raise ValueError(f"With alt_auth_db_service_id these are required: {', '.join(missing)}")
        return self
