"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
_LONG = sa.Text().with_variant(LONGTEXT(), "mysql")


def upgrade() -> None:
    """Create the tables, and the two counters that tell workers of changes."""
    # MySQL cannot undo DDL: after an interruption the next run finds some of it done, and goes on from there.
    found = sa.inspect(op.get_bind())
    there = set(found.get_table_names())

    def create_table(name: str, *parts: sa.schema.SchemaItem, **options: bool) -> None:
        if name not in there:
            op.create_table(name, *parts, **options)

    def create_index(name: str, table: str, columns: list[str], *, unique: bool) -> None:
        if table not in there or name not in {one["name"] for one in found.get_indexes(table)}:
            op.create_index(name, table, columns, unique=unique)

    create_table(
        "revision",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_revision")),
    )
    create_table(
        "role",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_date", sa.DateTime(), nullable=True),
        sa.Column("last_modified_date", sa.DateTime(), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("last_modified_by_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role")),
        sa.UniqueConstraint("name", name=op.f("uq_role_name")),
        sqlite_autoincrement=True,
    )
    create_table(
        "service",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=80), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("config", _LONG, nullable=True),
        sa.Column("mutable", sa.Boolean(), nullable=False),
        sa.Column("deletable", sa.Boolean(), nullable=False),
        sa.Column("created_date", sa.DateTime(), nullable=True),
        sa.Column("last_modified_date", sa.DateTime(), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("last_modified_by_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service")),
        sa.UniqueConstraint("name", name=op.f("uq_service_name")),
        sqlite_autoincrement=True,
    )
    create_table(
        "user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("username", sa.String(length=255), nullable=True),
        sa.Column("ldap_username", sa.String(length=255), nullable=True),
        sa.Column("first_name", sa.String(length=255), nullable=True),
        sa.Column("last_name", sa.String(length=255), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=True),
        sa.Column("is_sys_admin", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("phone", sa.String(length=32), nullable=True),
        sa.Column("security_question", sa.String(length=255), nullable=True),
        sa.Column("security_answer", sa.String(length=255), nullable=True),
        sa.Column("confirm_code", sa.String(length=255), nullable=True),
        sa.Column("default_app_id", sa.Integer(), nullable=True),
        sa.Column("adldap", sa.String(length=50), nullable=True),
        sa.Column("oauth_provider", sa.String(length=50), nullable=True),
        sa.Column("saml", sa.String(length=50), nullable=True),
        sa.Column("last_login_date", sa.DateTime(), nullable=True),
        sa.Column("token_epoch", sa.Integer(), nullable=False),
        sa.Column("created_date", sa.DateTime(), nullable=True),
        sa.Column("last_modified_date", sa.DateTime(), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("last_modified_by_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("email", name=op.f("uq_user_email")),
        sa.UniqueConstraint("username", name=op.f("uq_user_username")),
        sqlite_autoincrement=True,
    )
    create_table(
        "app",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("api_key", sa.String(length=512), nullable=False),
        sa.Column("api_key_digest", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("type", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=True),
        sa.Column("url", sa.String(length=255), nullable=True),
        sa.Column("storage_service_id", sa.Integer(), nullable=True),
        sa.Column("storage_container", sa.String(length=255), nullable=True),
        sa.Column("role_id", sa.Integer(), nullable=True),
        sa.Column("requires_fullscreen", sa.Boolean(), nullable=False),
        sa.Column("allow_fullscreen_toggle", sa.Boolean(), nullable=False),
        sa.Column("toggle_location", sa.String(length=64), nullable=False),
        sa.Column("created_date", sa.DateTime(), nullable=True),
        sa.Column("last_modified_date", sa.DateTime(), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("last_modified_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name=op.f("fk_app_role_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["storage_service_id"], ["service.id"], name=op.f("fk_app_storage_service_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app")),
        sa.UniqueConstraint("api_key_digest", name=op.f("uq_app_api_key_digest")),
        sa.UniqueConstraint("name", name=op.f("uq_app_name")),
        sqlite_autoincrement=True,
    )
    create_index(op.f("ix_app_role_id"), "app", ["role_id"], unique=False)
    create_index(op.f("ix_app_storage_service_id"), "app", ["storage_service_id"], unique=False)
    create_table(
        "role_service_access",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("role_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=True),
        sa.Column("component", sa.String(length=255), nullable=True),
        sa.Column("verb_mask", sa.Integer(), nullable=False),
        sa.Column("requestor_mask", sa.Integer(), nullable=False),
        sa.Column("filters", _LONG, nullable=True),
        sa.Column("filter_op", sa.String(length=8), nullable=False),
        sa.Column("created_date", sa.DateTime(), nullable=True),
        sa.Column("last_modified_date", sa.DateTime(), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("last_modified_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["role_id"], ["role.id"], name=op.f("fk_role_service_access_role_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["service.id"], name=op.f("fk_role_service_access_service_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_service_access")),
        sqlite_autoincrement=True,
    )
    create_index(op.f("ix_role_service_access_role_id"), "role_service_access", ["role_id"], unique=False)
    create_index(op.f("ix_role_service_access_service_id"), "role_service_access", ["service_id"], unique=False)
    create_table(
        "service_doc",
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("content", _LONG, nullable=True),
        sa.Column("created_date", sa.DateTime(), nullable=True),
        sa.Column("last_modified_date", sa.DateTime(), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("last_modified_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["service_id"], ["service.id"], name=op.f("fk_service_doc_service_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("service_id", name=op.f("pk_service_doc")),
    )
    create_table(
        "lookup",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("app_id", sa.Integer(), nullable=True),
        sa.Column("role_id", sa.Integer(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("value", _LONG, nullable=True),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("created_date", sa.DateTime(), nullable=True),
        sa.Column("last_modified_date", sa.DateTime(), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("last_modified_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["app_id"], ["app.id"], name=op.f("fk_lookup_app_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name=op.f("fk_lookup_role_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_lookup_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lookup")),
        sqlite_autoincrement=True,
    )
    create_index(op.f("ix_lookup_app_id"), "lookup", ["app_id"], unique=False)
    create_index(op.f("ix_lookup_role_id"), "lookup", ["role_id"], unique=False)
    create_index(op.f("ix_lookup_user_id"), "lookup", ["user_id"], unique=False)
    create_table(
        "user_to_app_to_role",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("role_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["app.id"], name=op.f("fk_user_to_app_to_role_app_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["role_id"], ["role.id"], name=op.f("fk_user_to_app_to_role_role_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_user_to_app_to_role_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_to_app_to_role")),
        sa.UniqueConstraint("user_id", "app_id", name=op.f("uq_user_to_app_to_role_user_id")),
        sqlite_autoincrement=True,
    )
    create_index(op.f("ix_user_to_app_to_role_app_id"), "user_to_app_to_role", ["app_id"], unique=False)
    create_index(op.f("ix_user_to_app_to_role_role_id"), "user_to_app_to_role", ["role_id"], unique=False)
    create_index(op.f("ix_user_to_app_to_role_user_id"), "user_to_app_to_role", ["user_id"], unique=False)
    counters = sa.table("revision", sa.column("name", sa.String), sa.column("value", sa.BigInteger))
    op.execute(sa.delete(counters))
    op.bulk_insert(counters, [{"name": "config", "value": 1}, {"name": "sessions", "value": 1}])
