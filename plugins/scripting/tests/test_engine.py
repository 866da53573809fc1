"""What a script can do, and what it cannot: each runs in a process of its own (checklist 26)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from trunkline_scripting.engine import Engine, Limits, Outcome, ScriptFailed

LIMITS = Limits(seconds=3, cpu=1, memory=192)


def run(script: str, event: Any = None, limits: Limits = LIMITS, calls: list[Any] | None = None) -> Outcome:
    async def ask(call: dict[str, Any]) -> dict[str, Any]:
        if calls is not None:
            calls.append(call)
        return {"status_code": 200, "content": {"rows": [{"id": 1}]}, "content_type": None, "headers": {"x": "y"}}

    async def once() -> Outcome:
        engine = Engine(limits)
        try:
            return await engine.run("shop.get", script, event or {"request": {}}, {"session": {}}, ask, limits)
        finally:
            await engine.close()

    return asyncio.run(once())


def test_a_script_is_the_body_of_a_function() -> None:
    found = run('if event.request.n > 1:\n    return """a\n  b"""\nreturn 0', {"request": {"n": 2}})
    assert found.returned == "a\n  b"


def test_event_and_platform_are_read_by_attribute_and_by_key() -> None:
    script = """
event['request'].name = {'a': [1, {'b': 2}]}
event.request.name.a[1].c = platform['session'] == {}
print('hi', event.nothing)
"""
    found = run(script)
    assert found.event == {"request": {"name": {"a": [1, {"b": 2, "c": True}]}}}
    assert (found.returned, found.printed) == (None, "hi None\n")


def test_a_script_calls_the_api() -> None:
    calls: list[Any] = []
    script = """
one = platform.api.post('db/_table/x?limit=1', {'a': 1}, {'parameters': {'b': 2}})
return [one.status_code, one.content.rows[0].id, one.headers['x']]
"""
    assert run(script, calls=calls).returned == [200, 1, "y"]
    assert calls == [
        {"verb": "POST", "path": "db/_table/x?limit=1", "payload": {"a": 1}, "options": {"parameters": {"b": 2}}}
    ]


def test_what_the_standard_library_has_can_be_used() -> None:
    script = """
import datetime, decimal, hashlib, json, re, statistics, threading, urllib.parse, uuid
return hashlib.md5(b'x').hexdigest()
"""
    assert len(run(script).returned) == 32


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("x = 1\nraise ValueError('no good')", "ValueError: no good (line 2)"),
        ("return nothing", "NameError: name 'nothing' is not defined (line 1)"),
        ("x = = 1", "SyntaxError: invalid syntax (line 1)"),
        ("import sys\nsys.exit(4)", "SystemExit: 4 (line 2)"),
        ("import os\nos._exit(0)", "it ended its process"),
        ("while True: pass", "it used too much time of the processor"),
        ("x = []\nwhile True: x.append(bytearray(10**7))", "MemoryError: the script needs more memory"),
        ("def f(): f()\nf()", "RecursionError"),
        ("return open('/etc/passwd').read()", "PermissionError: scripts may not open files"),
        ("import os\nreturn os.open('/etc/passwd', 0)", "PermissionError: scripts may not open files"),
        ("import io\nreturn io.FileIO('/proc/self/environ').read()", "PermissionError: scripts may not open files"),
        ("open('/tmp/x', 'w')", "PermissionError: scripts may not open files"),
        ("import os\nreturn os.listdir('/')", "PermissionError: scripts may not look into folders"),
        ("import os\nos.remove('/tmp/x')", "PermissionError: scripts may not use os.remove"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 1))", "PermissionError: scripts may not use socket."),
        ("import os\nos.fork()", "PermissionError: scripts may not use os.fork"),
        ("import os\nos.system('ls')", "PermissionError: scripts may not use os.system"),
        ("import subprocess\nsubprocess.run(['ls'])", "PermissionError: scripts may not"),
        ("import ctypes", "PermissionError: scripts may not import ctypes"),
        ("import trunkline", "ModuleNotFoundError"),
    ],
)
def test_a_script_that_does_what_it_may_not_is_stopped(script: str, says: str) -> None:
    started = time.monotonic()
    with pytest.raises(ScriptFailed) as raised:
        run(script)
    assert says in raised.value.message
    assert raised.value.message.startswith("Script 'shop.get' ")
    assert "/work" not in raised.value.message
    assert time.monotonic() - started < 6


def test_a_script_that_waits_for_ever_is_stopped() -> None:
    with pytest.raises(ScriptFailed, match="it took too long"):
        run("import time\ntime.sleep(60)")


def test_the_kernel_holds_where_python_would_not() -> None:
    """Past Python's own events: a call that has none must be refused by the system."""
    script = """
import sys
frame = sys._getframe()
while frame:
    for value in list(frame.f_globals.values()):
        if getattr(value, "__name__", "") == "os":
            value.open.__self__
    frame = frame.f_back
import posix
try:
    posix.pidfd_open(1)
except OSError as error:
    return error.errno
return "opened"
"""
    assert run(script).returned == 1


def test_nothing_of_the_gateway_is_in_a_script_s_reach() -> None:
    found = run("import os, sys\nreturn [dict(os.environ), sys.path, os.getcwd()]").returned
    assert set(found[0]) <= {"LC_CTYPE"}
    assert not any("site-packages" in one for one in found[1])


def test_one_script_hurts_no_other() -> None:
    async def all_of_them() -> list[Any]:
        async def ask(call: dict[str, Any]) -> dict[str, Any]:
            raise AssertionError

        engine = Engine(LIMITS, most=4)
        scripts = [
            "while True: pass",
            "return 1",
            "raise ValueError('x')",
            "return 2",
            "import os\nos._exit(1)",
            "return 3",
        ]
        try:
            return await asyncio.gather(
                *(engine.run("x", one, {}, {}, ask, LIMITS) for one in scripts), return_exceptions=True
            )
        finally:
            await engine.close()

    found = asyncio.run(all_of_them())
    assert [one.returned for one in found[1::2]] == [1, 2, 3]
    assert all(isinstance(one, ScriptFailed) for one in found[::2])


def test_large_answers_and_odd_ones_come_through() -> None:
    assert len(run("return 'x' * 5_000_000").returned) == 5_000_000
    assert run("return {'a': (1, 2), 'when': __import__('datetime').date(2026, 1, 2)}").returned == {
        "a": [1, 2],
        "when": "2026-01-02",
    }
