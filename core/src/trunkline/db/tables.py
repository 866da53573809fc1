"""Tables of the system database; names and columns follow the records that the REST API shows."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGTEXT

# MySQL's TEXT ends at 64 KiB, which an API document or an encrypted value may exceed.
_LONG = sa.Text().with_variant(LONGTEXT(), "mysql")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _stamps() -> list[sa.Column[object]]:
    """Who made and changed a record, and when (UTC)."""
    return [
        sa.Column("created_date", sa.DateTime),
        sa.Column("last_modified_date", sa.DateTime),
        sa.Column("created_by_id", sa.Integer),
        sa.Column("last_modified_by_id", sa.Integer),
    ]


def _parent(name: str, target: str, *, nullable: bool = True, gone: str = "CASCADE") -> sa.Column[int]:
    return sa.Column(name, sa.Integer, sa.ForeignKey(f"{target}.id", ondelete=gone), nullable=nullable, index=True)


# One row a counter: ``config`` for everything below, ``sessions`` for revoked tokens.
revision = sa.Table(
    "revision",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

user = sa.Table(
    "user",
    metadata,
    _id(),
    sa.Column("name", sa.String(255)),
    sa.Column("username", sa.String(255), unique=True),
    sa.Column("ldap_username", sa.String(255)),
    sa.Column("first_name", sa.String(255)),
    sa.Column("last_name", sa.String(255)),
    sa.Column("email", sa.String(255), unique=True, nullable=False),
    sa.Column("password", sa.String(255)),
    sa.Column("is_sys_admin", sa.Boolean, nullable=False, default=False),
    sa.Column("is_active", sa.Boolean, nullable=False, default=True),
    sa.Column("phone", sa.String(32)),
    sa.Column("security_question", sa.String(255)),
    sa.Column("security_answer", sa.String(255)),
    sa.Column("confirm_code", sa.String(255)),
    sa.Column("default_app_id", sa.Integer),
    sa.Column("adldap", sa.String(50)),
    sa.Column("oauth_provider", sa.String(50)),
    sa.Column("saml", sa.String(50)),
    sa.Column("last_login_date", sa.DateTime),
    # Tokens of an earlier epoch are dead: raised when the password is set or the account is switched off.
    sa.Column("token_epoch", sa.Integer, nullable=False, default=0),
    *_stamps(),
)

role = sa.Table(
    "role",
    metadata,
    _id(),
    sa.Column("name", sa.String(64), unique=True, nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("is_active", sa.Boolean, nullable=False, default=False),
    *_stamps(),
)

service = sa.Table(
    "service",
    metadata,
    _id(),
    sa.Column("name", sa.String(40), unique=True, nullable=False),
    sa.Column("label", sa.String(80)),
    sa.Column("description", sa.String(255)),
    sa.Column("is_active", sa.Boolean, nullable=False, default=False),
    sa.Column("type", sa.String(40), nullable=False),
    # JSON; secrets inside are encrypted one by one.
    sa.Column("config", _LONG),
    sa.Column("mutable", sa.Boolean, nullable=False, default=True),
    sa.Column("deletable", sa.Boolean, nullable=False, default=True),
    *_stamps(),
)

service_doc = sa.Table(
    "service_doc",
    metadata,
    sa.Column("service_id", sa.Integer, sa.ForeignKey("service.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("format", sa.Integer, nullable=False, default=0),
    sa.Column("content", _LONG),
    *_stamps(),
)

role_service_access = sa.Table(
    "role_service_access",
    metadata,
    _id(),
    _parent("role_id", "role", nullable=False),
    _parent("service_id", "service"),
    sa.Column("component", sa.String(255)),
    sa.Column("verb_mask", sa.Integer, nullable=False, default=0),
    sa.Column("requestor_mask", sa.Integer, nullable=False, default=0),
    # JSON list of {name, operator, value}.
    sa.Column("filters", _LONG),
    sa.Column("filter_op", sa.String(8), nullable=False, default="and"),
    *_stamps(),
)

app = sa.Table(
    "app",
    metadata,
    _id(),
    sa.Column("name", sa.String(64), unique=True, nullable=False),
    # The key itself is encrypted, found by its digest (checklist 17).
    sa.Column("api_key", sa.String(512), nullable=False),
    sa.Column("api_key_digest", sa.String(64), unique=True, nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("is_active", sa.Boolean, nullable=False, default=False),
    sa.Column("type", sa.Integer, nullable=False, default=0),
    sa.Column("path", sa.String(255)),
    sa.Column("url", sa.String(255)),
    _parent("storage_service_id", "service", gone="SET NULL"),
    sa.Column("storage_container", sa.String(255)),
    _parent("role_id", "role", gone="SET NULL"),
    sa.Column("requires_fullscreen", sa.Boolean, nullable=False, default=False),
    sa.Column("allow_fullscreen_toggle", sa.Boolean, nullable=False, default=True),
    sa.Column("toggle_location", sa.String(64), nullable=False, default="top"),
    *_stamps(),
)

user_to_app_to_role = sa.Table(
    "user_to_app_to_role",
    metadata,
    _id(),
    _parent("user_id", "user", nullable=False),
    _parent("app_id", "app", nullable=False),
    _parent("role_id", "role", nullable=False),
    sa.UniqueConstraint("user_id", "app_id"),
)

lookup = sa.Table(
    "lookup",
    metadata,
    _id(),
    _parent("app_id", "app"),
    _parent("role_id", "role"),
    _parent("user_id", "user"),
    sa.Column("name", sa.String(255), nullable=False),
    # Always encrypted; private ones are masked in replies as well.
    sa.Column("value", _LONG),
    sa.Column("private", sa.Boolean, nullable=False, default=False),
    sa.Column("description", sa.String(255)),
    *_stamps(),
)

for _table in metadata.tables.values():
    # Without this SQLite gives the id of a deleted record to the next one, and old tokens with it (D20).
    _table.dialect_options["sqlite"]["autoincrement"] = "id" in _table.c
