"""Tables of the system database; names and columns follow the records that the REST API shows."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGTEXT

# MySQL's TEXT ends at 64 KiB, which an API document or an encrypted value may exceed.
LONG_TEXT = sa.Text().with_variant(LONGTEXT(), "mysql")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def id_column() -> sa.Column[int]:
    """Make the key that stored records have."""
    return sa.Column("id", sa.Integer, primary_key=True)


def stamps() -> list[sa.Column[object]]:
    """Who made and changed a record, and when (UTC)."""
    return [
        sa.Column("created_date", sa.DateTime),
        sa.Column("last_modified_date", sa.DateTime),
        sa.Column("created_by_id", sa.Integer),
        sa.Column("last_modified_by_id", sa.Integer),
    ]


def parent(name: str, target: str, *, nullable: bool = True, gone: str = "CASCADE") -> sa.Column[int]:
    """Make a column that refers to the record of another table, by its ``id``."""
    key = sa.ForeignKey(metadata.tables[target].c.id, ondelete=gone)
    return sa.Column(name, sa.Integer, key, nullable=nullable, index=True)


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
    id_column(),
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
    *stamps(),
)

role = sa.Table(
    "role",
    metadata,
    id_column(),
    sa.Column("name", sa.String(64), unique=True, nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("is_active", sa.Boolean, nullable=False, default=False),
    *stamps(),
)

service = sa.Table(
    "service",
    metadata,
    id_column(),
    sa.Column("name", sa.String(40), unique=True, nullable=False),
    sa.Column("label", sa.String(80)),
    sa.Column("description", sa.String(255)),
    sa.Column("is_active", sa.Boolean, nullable=False, default=False),
    sa.Column("type", sa.String(40), nullable=False),
    # JSON; secrets inside are encrypted one by one.
    sa.Column("config", LONG_TEXT),
    sa.Column("mutable", sa.Boolean, nullable=False, default=True),
    sa.Column("deletable", sa.Boolean, nullable=False, default=True),
    *stamps(),
)

service_doc = sa.Table(
    "service_doc",
    metadata,
    sa.Column("service_id", sa.Integer, sa.ForeignKey("service.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("format", sa.Integer, nullable=False, default=0),
    sa.Column("content", LONG_TEXT),
    *stamps(),
)

role_service_access = sa.Table(
    "role_service_access",
    metadata,
    id_column(),
    parent("role_id", "role", nullable=False),
    parent("service_id", "service"),
    sa.Column("component", sa.String(255)),
    sa.Column("verb_mask", sa.Integer, nullable=False, default=0),
    sa.Column("requestor_mask", sa.Integer, nullable=False, default=0),
    # JSON list of {name, operator, value}.
    sa.Column("filters", LONG_TEXT),
    sa.Column("filter_op", sa.String(8), nullable=False, default="and"),
    # JSON list of {name, action, value} (D33).
    sa.Column("response_filters", LONG_TEXT),
    *stamps(),
)

app = sa.Table(
    "app",
    metadata,
    id_column(),
    sa.Column("name", sa.String(64), unique=True, nullable=False),
    # The key itself is encrypted, found by its digest (checklist 17).
    sa.Column("api_key", sa.String(512), nullable=False),
    sa.Column("api_key_digest", sa.String(64), unique=True, nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("is_active", sa.Boolean, nullable=False, default=False),
    sa.Column("type", sa.Integer, nullable=False, default=0),
    sa.Column("path", sa.String(255)),
    sa.Column("url", sa.String(255)),
    parent("storage_service_id", "service", gone="SET NULL"),
    sa.Column("storage_container", sa.String(255)),
    parent("role_id", "role", gone="SET NULL"),
    sa.Column("requires_fullscreen", sa.Boolean, nullable=False, default=False),
    sa.Column("allow_fullscreen_toggle", sa.Boolean, nullable=False, default=True),
    sa.Column("toggle_location", sa.String(64), nullable=False, default="top"),
    *stamps(),
)

user_to_app_to_role = sa.Table(
    "user_to_app_to_role",
    metadata,
    id_column(),
    parent("user_id", "user", nullable=False),
    parent("app_id", "app", nullable=False),
    parent("role_id", "role", nullable=False),
    sa.UniqueConstraint("user_id", "app_id"),
)

lookup = sa.Table(
    "lookup",
    metadata,
    id_column(),
    parent("app_id", "app"),
    parent("role_id", "role"),
    parent("user_id", "user"),
    sa.Column("name", sa.String(255), nullable=False),
    # Always encrypted; private ones are masked in replies as well.
    sa.Column("value", LONG_TEXT),
    sa.Column("private", sa.Boolean, nullable=False, default=False),
    sa.Column("description", sa.String(255)),
    *stamps(),
)


def add_to(target: sa.MetaData, *tables: sa.Table) -> None:
    """Copy the tables of a plugin, made on a metadata of its own, into that of the system database.

    They may refer to columns of the tables above. An application of the same process may have added them before.
    """
    for table in tables:
        if table.name not in target.tables:
            _never_twice(table.to_metadata(target))


def _never_twice(table: sa.Table) -> None:
    """Without this SQLite gives the id of a deleted record to the next one, and old tokens with it (D20)."""
    table.dialect_options["sqlite"]["autoincrement"] = "id" in table.c


for _table in metadata.tables.values():
    _never_twice(_table)
