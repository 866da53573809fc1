"""Metrics of several worker processes as one: prometheus-client's files, in a folder that the workers share.

A scrape reaches one of the workers, which answers for all of them. A single process keeps its numbers in memory.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def shared_folder(storage: Path) -> Path | None:
    """Answer the folder of the metrics when this is one of several workers, made ready; None for a process alone.

    Must be asked before prometheus-client is first imported, as it looks at the environment once.
    """
    parent = multiprocessing.parent_process()
    if VARIABLE in os.environ:
        folder = Path(os.environ[VARIABLE])
    elif parent is None or parent.pid is None:
        return None
    else:
        folder = storage.resolve() / "metrics" / _name_of(parent.pid)
        _forget_earlier_runs(folder)
        os.environ[VARIABLE] = str(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        # What a worker counted stays when it dies, or sums would fall; what it had in hand does not.
        pid = file.stem.rpartition("_")[2]
        if (
            file.name.startswith("gauge_live")
            and pid.isdigit()
            and (int(pid) == os.getpid() or not _is_alive(int(pid)))
        ):
            file.unlink(missing_ok=True)
    return folder


def _name_of(pid: int) -> str:
    """Name a run by its parent process; with its start, since in containers the number is always the same."""
    try:
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        started = "0"
    return f"{pid}-{started}"


def _forget_earlier_runs(ours: Path) -> None:
    for folder in ours.parent.glob("*-*"):
        pid = folder.name.partition("-")[0]
        if folder != ours and pid.isdigit() and folder.name != _name_of(int(pid)):
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
