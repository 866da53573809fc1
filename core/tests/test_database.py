from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from trunkline.db import tables
from trunkline.db.database import Database
from trunkline.errors import Unavailable
from trunkline.settings import BadSettings
from trunkline.testing.fixtures import settings_for


def test_the_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    database = Database(settings_for(tmp_path))
    database.migrate()
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    database.close()


def test_many_processes_may_start_at_once(tmp_path: Path) -> None:
    """Checklist 30: one migrates, the others wait."""
    databases = [Database(settings_for(tmp_path)) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda database: database.migrate(), databases))
    query = sa.select(sa.func.count()).select_from(tables.revision)
    assert databases[0].read(lambda connection: connection.scalar(query)) == 2
    for database in databases:
        database.close()


def test_a_system_database_that_is_not_there_is_a_503(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    database = Database(settings_for(tmp_path, db_database=str(tmp_path / "no folder" / "x.sqlite")))
    with pytest.raises(Unavailable):
        database.read(lambda connection: connection.scalar(sa.text("select 1")))
    database.close()


def test_a_missing_driver_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def without_psycopg(name: str, *rest: object, **more: object) -> object:
        if name.startswith("psycopg"):
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type]  # handed through as it came

    monkeypatch.setattr(builtins, "__import__", without_psycopg)
    with pytest.raises(BadSettings, match=r"trunkline\[postgresql\]"):
        Database(settings_for(tmp_path, db_connection="pgsql"))
