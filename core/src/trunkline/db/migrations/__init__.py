"""Migrations of the system database, run by alembic at every start."""
