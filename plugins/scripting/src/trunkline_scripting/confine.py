"""Taking rights away from the process that runs a script, for good; only the standard library stands here.

What the kernel offers is used: limits of resources everywhere, on Linux a filter of system calls (no programs, no
processes, no network) and Landlock (no files but the interpreter's own). Python's own audit events are refused as well,
which gives clear errors and holds against mistakes everywhere; against a hostile author only the kernel's means count.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import struct
import sys
import sysconfig
from collections.abc import Sequence
from typing import Any

MIB = 2**20
# System calls by machine: programs and processes, other processes, namespaces, the kernel; and the network.
_DENIED = {
    "x86_64": (57, 58, 59, 62, 101, 155, 165, 166, 169, 175, 200, 234, 272, 304, 308, 310, 311, 321, 322, 424, 425,
               434, 438),
    "aarch64": (117, 129, 130, 131, 39, 40, 41, 97, 105, 142, 221, 265, 268, 270, 271, 280, 281, 424, 425, 434,
                438),
}  # fmt: skip
# Threads are welcome, processes are not: ``clone`` tells which by a flag, ``clone3`` is answered as if it were unknown.
_CLONE, _CLONE3, _AS_THREAD = {"x86_64": 56, "aarch64": 220}, 435, 0x10000
_NETWORK = {
    "x86_64": (41, 42, 43, 44, 46, 49, 50, 53, 288, 307),
    "aarch64": (198, 199, 200, 201, 202, 203, 206, 211, 269),
}
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_READ_FILE, _READ_DIR, _ALL_FILE_RIGHTS = 1 << 2, 1 << 3, (1 << 13) - 1
_NOBODY = 65534
# What a script may not do, by the beginnings of audit events.
_REFUSED = (
    "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn", "os.kill", "ctypes.", "pty.",
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.truncate",
    "os.chdir", "os.fchdir", "shutil.", "tempfile.", "glob.", "os.putenv", "os.unsetenv",
    "sqlite3.", "webbrowser.", "sys._current_frames", "gc.get_objects", "code.__new__",
)  # fmt: skip
_NO_IMPORT = frozenset({"ctypes", "_ctypes", "_posixsubprocess", "multiprocessing", "_multiprocessing", "gc"})
_READABLE = ("/usr/share/zoneinfo", "/etc/localtime", "/dev/urandom", "/dev/null")


def confine(*, cpu: int, memory: int, network: bool) -> None:
    """Give up what a script has no need of: ``cpu`` in seconds, ``memory`` in MiB."""
    folders = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "/lib", "/lib64", "/usr/lib"]
    readable = [one for one in (*dict.fromkeys(folders), *_READABLE) if os.path.exists(one)]  # noqa: PTH110
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    for what, most in (
        (resource.RLIMIT_AS, memory * MIB), (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 32),
    ):  # fmt: skip
        resource.setrlimit(what, (most, most))
    if sys.platform == "linux":
        _give_up_root(readable[0])
        _confine_linux(readable, network)
    sys.addaudithook(_hook(tuple(readable), network))
    for name in [one for one in sys.modules if one.partition(".")[0] in _NO_IMPORT]:
        del sys.modules[name]


def _give_up_root(needed: str) -> None:
    """Become nobody, unless nobody could read the interpreter's own files then."""
    if os.getuid() != 0:
        return
    path = needed
    while path != "/":
        if not os.stat(path).st_mode & 0o001:  # noqa: PTH116
            return
        path = os.path.dirname(path)  # noqa: PTH120
    with contextlib.suppress(OSError):
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def _confine_linux(readable: Sequence[str], network: bool) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # Ends with the gateway, and never gets rights back.
    libc.prctl(1, 9, 0, 0, 0)
    if libc.prctl(38, 1, 0, 0, 0):
        return
    _landlock(libc, readable)
    _seccomp(libc, network)


def _landlock(libc: Any, readable: Sequence[str]) -> None:
    create, add, restrict = 444, 445, 446
    version = libc.syscall(create, None, 0, 1)
    if version < 1:
        return
    attributes = ctypes.create_string_buffer(struct.pack("Q", _ALL_FILE_RIGHTS))
    rules = libc.syscall(create, attributes, 8, 0)
    if rules < 0:
        return
    for path in readable:
        with contextlib.suppress(OSError):
            folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rights = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)  # noqa: PTH112
            libc.syscall(add, rules, 1, ctypes.create_string_buffer(struct.pack("=Qi", rights, folder)), 0)
            os.close(folder)
    libc.syscall(restrict, rules, 0)
    os.close(rules)


def _seccomp(libc: Any, network: bool) -> None:
    """Refuse system calls by a little program of the kernel's: load the number, compare, answer EPERM."""
    machine = platform.machine()
    if machine not in _DENIED:
        return
    denied = _DENIED[machine] + (() if network else _NETWORK[machine])
    load, equal, at_least, has, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, refuse, unknown = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38
    program = [
        (load, 0, 0, 4),
        (equal, 1, 0, _ARCHITECTURES[machine]),
        (answer, 0, 0, refuse),
        (load, 0, 0, 0),
        # The other numbers of the same calls.
        (at_least, 0, 1, 0x40000000),
        (answer, 0, 0, refuse),
    ]
    for number in denied:
        program += [(equal, 0, 1, number), (answer, 0, 0, refuse)]
    program += [
        (equal, 0, 1, _CLONE3),
        (answer, 0, 0, unknown),
        (equal, 0, 3, _CLONE[machine]),
        (load, 0, 0, 16),
        (has, 1, 0, _AS_THREAD),
        (answer, 0, 0, refuse),
        (answer, 0, 0, allow),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    libc.prctl(22, 2, header, 0, 0)


def _hook(readable: tuple[str, ...], network: bool) -> Any:
    refused = _REFUSED if network else (*_REFUSED, "socket.")
    folders = tuple(one.rstrip("/") + "/" for one in readable)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, int):
                return
            text = os.fsdecode(path) if isinstance(path, str | bytes) else ""
            writes = isinstance(mode, str) and set(mode) & set("wax+")
            if writes or flags & (os.O_WRONLY | os.O_RDWR) or not (text in readable or text.startswith(folders)):
                raise PermissionError("scripts may not open files")
        elif event in ("os.listdir", "os.scandir"):
            # The import system looks into folders.
            if not isinstance(arguments[0], str) or not (arguments[0] + "/").startswith(folders):
                raise PermissionError("scripts may not look into folders")
        elif event == "import":
            if arguments[0].partition(".")[0] in _NO_IMPORT:
                raise PermissionError(f"scripts may not import {arguments[0]}")
        elif event.startswith(refused):
            raise PermissionError(f"scripts may not use {event}")

    return hook
