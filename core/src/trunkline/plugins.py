"""The plugin manager, and three ways to ask plugins that may be asynchronous: first, every, fold."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from trunkline import hooks

GROUP = "trunkline.plugins"


class Manager(pluggy.PluginManager):
    """pluggy's manager, filled from entry points; a package that fails to import breaks only itself."""

    def __init__(self) -> None:
        """Know the kernel's hooks and no plugin yet."""
        super().__init__(hooks.PROJECT)
        self.add_hookspecs(hooks)
        self.broken: dict[str, str] = {}
        # Who implements a call hook does not change after start, so the hot path asks once.
        self._callers: dict[str, list[tuple[Any, tuple[str, ...]]]] = {}

    def load(self, only: set[str] | None = None) -> None:
        """Load the installed plugins in the order of their names, or ``only`` those named."""
        for point in installed():
            if only is not None and point.name not in only:
                continue
            try:
                self.register(point.load(), point.name)
            except Exception as error:
                self.broken[point.name] = f"{type(error).__name__}: {error}"
        self.hook.add_hooks(manager=self)
        self._callers.clear()

    def callers(self, hook: str) -> list[tuple[Any, tuple[str, ...]]]:
        """List the implementations of ``hook``, the last registered first, with the arguments each wants."""
        found = self._callers.get(hook)
        if found is None:
            implementations = getattr(self.hook, hook).get_hookimpls()
            found = [(one.function, one.argnames) for one in reversed(implementations)]
            self._callers[hook] = found
        return found


def installed() -> list[EntryPoint]:
    """List the entry points of installed plugins by name; importing none."""
    return sorted(entry_points(group=GROUP), key=lambda point: point.name)


async def first(manager: Manager, hook: str, **arguments: Any) -> Any:
    """Ask one after the other until somebody answers something other than None."""
    for function, argnames in manager.callers(hook):
        answer = function(*[arguments[name] for name in argnames])
        # Most have nothing to say, and that at once; only then it costs no look at what was answered.
        if answer is not None and inspect.isawaitable(answer):
            answer = await answer
        if answer is not None:
            return answer
    return None


async def every(manager: Manager, hook: str, **arguments: Any) -> list[Any]:
    """Ask all, one after the other; an exception ends it."""
    answers = []
    for function, argnames in manager.callers(hook):
        answer = function(*[arguments[name] for name in argnames])
        answers.append(await answer if answer is not None and inspect.isawaitable(answer) else answer)
    return answers


async def fold(manager: Manager, hook: str, argument: str, **arguments: Any) -> Any:
    """Ask all; each answer other than None replaces ``argument`` for the next. Answers the last value."""
    for function, argnames in manager.callers(hook):
        answer = function(*[arguments[name] for name in argnames])
        if answer is not None and inspect.isawaitable(answer):
            answer = await answer
        if answer is not None:
            arguments[argument] = answer
    return arguments[argument]
