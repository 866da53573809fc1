"""The program of a child process: it takes one script, runs it within its limits, and tells what came of it.

Started as ``python -I -S -B sandbox.py``, so only the standard library is there. Messages are JSON behind their length
in four bytes: in comes one job, out go calls of the API, each answered by one message, and at the end the result.
"""

from __future__ import annotations

import ast
import importlib
import io
import json
import os
import struct
import sys
import traceback
from typing import Any, BinaryIO

_MOST_PRINTED = 64 * 2**10
_NAME = "<script>"


class Bag(dict):  # type: ignore[type-arg]  # subscripting it at run time is not needed
    """A dictionary whose keys are attributes as well."""

    def __getattr__(self, name: str) -> Any:
        """Answer a key, or None for one that is not there, as scripts ask for optional things."""
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a key."""
        self[name] = bagged(value)


def bagged(value: Any) -> Any:
    """Turn dictionaries, however deep, into bags."""
    if isinstance(value, dict):
        return Bag({key: bagged(one) for key, one in value.items()})
    return [bagged(one) for one in value] if isinstance(value, list) else value


class Answer:
    """What a call of the API answered; it reads like a response of ``http.client`` too."""

    def __init__(self, told: dict[str, Any]) -> None:
        """Take what the gateway told."""
        self.status = self.status_code = told["status_code"]
        self.content = bagged(told["content"])
        self.content_type = told.get("content_type")
        self.headers = told.get("headers") or {}

    def read(self) -> bytes:
        """Answer the content as bytes of JSON."""
        return json.dumps(self.content).encode()

    def json(self) -> Any:
        """Answer the content."""
        return self.content


class Api:
    """``platform.api``: calls inside of the gateway, with the rights of the caller."""

    def __init__(self, pipe: Pipe) -> None:
        """Call through a pipe."""
        self._pipe = pipe

    def get(self, path: str, options: Any = None) -> Answer:
        """Read."""
        return self.call("GET", path, None, options)

    def post(self, path: str, payload: Any = None, options: Any = None) -> Answer:
        """Create."""
        return self.call("POST", path, payload, options)

    def put(self, path: str, payload: Any = None, options: Any = None) -> Answer:
        """Replace."""
        return self.call("PUT", path, payload, options)

    def patch(self, path: str, payload: Any = None, options: Any = None) -> Answer:
        """Change."""
        return self.call("PATCH", path, payload, options)

    def delete(self, path: str, payload: Any = None, options: Any = None) -> Answer:
        """Delete."""
        return self.call("DELETE", path, payload, options)

    def call(self, verb: str, path: str, payload: Any = None, options: Any = None) -> Answer:
        """Make any call."""
        self._pipe.write({"call": {"verb": verb, "path": path, "payload": payload, "options": options or {}}})
        return Answer(self._pipe.read())


class Pipe:
    """Messages to and from the gateway."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Take both ends."""
        self._source, self._sink = source, sink

    def read(self) -> dict[str, Any]:
        """Wait for a message; the gateway's end is ours."""
        head = self._source.read(4)
        if len(head) < 4:
            os._exit(0)
        found: dict[str, Any] = json.loads(self._source.read(struct.unpack(">I", head)[0]))
        return found

    def write(self, message: dict[str, Any]) -> None:
        """Send a message."""
        data = json.dumps(message, default=str).encode()
        self._sink.write(struct.pack(">I", len(data)) + data)
        self._sink.flush()


def run(job: dict[str, Any], pipe: Pipe) -> dict[str, Any]:
    """Run a script as the body of a function of ``event`` and ``platform``."""
    printed = sys.stdout = io.StringIO()
    event, platform = bagged(job["event"]), bagged(job["platform"])
    platform["api"] = Api(pipe)
    result: dict[str, Any] = {}
    try:
        tree = ast.parse("def script(event, platform):\n    pass", _NAME)
        tree.body[0].body = ast.parse(job["script"], _NAME).body or tree.body[0].body  # type: ignore[attr-defined]
        names: dict[str, Any] = {"__name__": "script"}
        exec(compile(tree, _NAME, "exec"), names)  # noqa: S102 - that is what this process is for
        result = {"returned": names["script"](event, platform), "event": event}
        json.dumps(result, default=str)
    except BaseException as error:
        result = {"error": _told(error)}
    return {**result, "printed": printed.getvalue()[:_MOST_PRINTED]}


def _told(error: BaseException) -> str:
    """Tell an error in its own words, with the line of the script; nothing of the machine."""
    if isinstance(error, MemoryError):
        return "MemoryError: the script needs more memory than it may have"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == _NAME]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    words = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {words}" + (f" (line {line})" if line else "")


def main() -> None:
    """Wait for a job, do it, and end."""
    pipe = Pipe(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    confine = _confiner()
    job = pipe.read()
    confine(**job["limits"])
    del confine
    pipe.write(run(job, pipe))


def _confiner() -> Any:
    """Import what takes rights away, from beside this file and without its package."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    confine = importlib.import_module("confine").confine
    sys.path.pop(0)
    del sys.modules["confine"]
    return confine


if __name__ == "__main__":
    main()
