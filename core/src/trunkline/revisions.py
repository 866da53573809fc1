"""Revisions: two counters that tell every worker, within a memory read, that what it holds is stale.

The truth is a row in the system database, raised by each change and polled once a second by every node. Workers of one
machine share the highest value seen through a small mapped file, so for them a change counts from the next request on.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import sqlalchemy as sa

from trunkline.db.tables import revision

CONFIG = 0
SESSIONS = 1
_NAMES = ("config", "sessions")


class Revisions:
    """The counters as this machine knows them; reading one is a memory access."""

    def __init__(self, storage: Path) -> None:
        """Map the file, creating it when missing."""
        storage.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(storage / "revisions", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size < 16:
                os.ftruncate(descriptor, 16)
            self._map = mmap.mmap(descriptor, 16)
        finally:
            os.close(descriptor)
        # Aligned eight-byte stores are single stores on every platform served, so readers need no lock.
        self._view = memoryview(self._map).cast("Q")

    def __getitem__(self, which: int) -> int:
        """Answer the highest known value of a counter."""
        return self._view[which]

    def bump(self, connection: sa.Connection, which: int) -> None:
        """Raise a counter within the caller's transaction; call publish after it committed."""
        connection.execute(
            sa.update(revision).where(revision.c.name == _NAMES[which]).values(value=revision.c.value + 1)
        )

    def publish(self, connection: sa.Connection) -> None:
        """Read the counters from the system database and tell the workers of this machine."""
        for name, value in connection.execute(sa.select(revision.c.name, revision.c.value)):
            which = _NAMES.index(name)
            if value > self._view[which]:
                self._view[which] = value

    def close(self) -> None:
        """Unmap the file."""
        self._view.release()
        self._map.close()
