from __future__ import annotations

import contextlib
from pathlib import Path

import sqlalchemy as sa

from trunkline.db import tables
from trunkline.db.database import Database
from trunkline.revisions import CONFIG, SESSIONS
from trunkline.testing.fixtures import settings_for


def opened(storage: Path) -> Database:
    database = Database(settings_for(storage))
    database.migrate()
    return database


def test_a_change_is_seen_at_once_by_another_process_of_the_machine(tmp_path: Path) -> None:
    """Checklist 15: two databases on one folder map the same file, as two workers do."""
    one, two = opened(tmp_path), opened(tmp_path)
    before = two.revisions[CONFIG]
    one.change(lambda _connection: None)
    assert two.revisions[CONFIG] == before + 1
    one.revoke_sessions()
    assert two.revisions[SESSIONS] == one.revisions[SESSIONS] > 0
    one.close()
    two.close()


def test_a_change_of_another_node_is_seen_by_polling(tmp_path: Path) -> None:
    one = opened(tmp_path / "one")
    # Another machine: the same database file, another mapped file.
    other = Database(settings_for(tmp_path / "two", db_database=str(tmp_path / "one" / "system.sqlite")))
    other.poll()
    before = other.revisions[CONFIG]
    one.change(lambda _connection: None)
    assert other.revisions[CONFIG] == before
    other.poll()
    assert other.revisions[CONFIG] == before + 1
    one.close()
    other.close()


def test_what_fails_raises_no_revision(tmp_path: Path) -> None:
    database = opened(tmp_path)
    before = database.revisions[CONFIG]
    with contextlib.suppress(sa.exc.IntegrityError):
        database.change(lambda connection: connection.execute(sa.insert(tables.role).values(name=None)))
    assert database.revisions[CONFIG] == before
    assert database.read(lambda connection: connection.scalar(sa.select(sa.func.count()).select_from(tables.role))) == 0
    database.close()
