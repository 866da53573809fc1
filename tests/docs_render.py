"""Renders the pages and tables that are derived from code: ``nox -s docs``, or ``-- --check`` to only compare."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- fields: rendered by nox -s docs -->", "<!-- end of fields -->"
SETTINGS, END_SETTINGS = "<!-- settings: rendered by nox -s docs -->", "<!-- end of settings -->"


def settings_page() -> str:
    """Render the settings of the kernel."""
    from trunkline.settings import Settings

    lines = [
        "# Settings",
        "",
        "Read from the environment, or from a `.env` file in the working directory. Rendered by `nox -s docs`.",
        "Plugins have settings of their own, which their READMEs list.",
        "",
        *settings_table(Settings),
    ]
    return "\n".join(lines) + "\n"


def settings_table(kind: type[BaseSettings]) -> list[str]:
    """Render the settings of the kernel or of a plugin as a table."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, info in kind.model_fields.items():
        alias = info.validation_alias
        variable = str(alias.choices[0]) if isinstance(alias, AliasChoices) else alias or name.upper()
        default = "" if info.default in (None, "") or "Secret" in type(info.default).__name__ else f"`{info.default}`"
        lines.append(f"| `{variable}` | {default} | {info.description} |")
    return lines


def plugin_page(name: str, written: str) -> str:
    """Put the table of settings between the markers of a plugin's README; its module ``settings`` declares them."""
    module = importlib.import_module(f"trunkline_{name}.settings")
    (kind,) = (
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, BaseSettings) and one.__module__ == module.__name__
    )
    head, _, rest = written.partition(SETTINGS)
    tail = rest.partition(END_SETTINGS)[2]
    return head + "\n".join([SETTINGS, *settings_table(kind), END_SETTINGS]) + (tail or "\n")


def cli_page() -> str:
    """Render the help of every command."""
    from trunkline.cli import cli
    from trunkline.plugins import Manager

    manager = Manager()
    manager.load()
    manager.hook.register_commands(cli=cli)
    parts = ["# Command line\n\nEvery command explains itself with `--help`. Rendered by `nox -s docs`.\n"]
    parts += (f"## `{path}`\n\n```\n{text}\n```\n" for path, text in _helps(cli, "trunkline"))
    return "\n".join(parts)


def _helps(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=path, terminal_width=100, max_content_width=100)
    yield path, command.get_help(context).rstrip()
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _helps(command.commands[name], f"{path} {name}")


def connector_page(name: str, written: str) -> str:
    """Put the table of configuration fields between the markers of a connector's README."""
    from trunkline.registry import Registry

    kind = Registry().load(name)
    lines = [BEGIN, "| field | type | default | meaning |", "|---|---|---|---|"]
    for entry in kind.config_class().schema_entries():
        default = "required" if entry["required"] else _shown(entry["default"])
        lines.append(f"| `{entry['name']}` | {entry['type']} | {default} | {entry['description']} |")
    head, _, rest = written.partition(BEGIN)
    tail = rest.partition(END)[2]
    return head + "\n".join([*lines, END]) + (tail or "\n")


def _shown(value: object) -> str:
    return "" if value in (None, "", [], {}) else f"`{value}`".lower() if isinstance(value, bool) else f"`{value}`"


def pages() -> dict[Path, str]:
    """Render everything: path and text."""
    found = {ROOT / "docs/settings.md": settings_page(), ROOT / "docs/cli.md": cli_page()}
    for readme in sorted(ROOT.glob("connectors/*/README.md")):
        found[readme] = connector_page(readme.parent.name, readme.read_text())
    for readme in sorted(ROOT.glob("plugins/*/README.md")):
        if SETTINGS in (written := readme.read_text()):
            found[readme] = plugin_page(readme.parent.name, written)
        elif BEGIN in written:
            found[readme] = connector_page(readme.parent.name, written)
    return found


def main(arguments: list[str]) -> int:
    """Write what is stale, or only name it."""
    stale = {path: text for path, text in pages().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        print(("stale: " if "--check" in arguments else "wrote ") + str(path.relative_to(ROOT)))
        if "--check" not in arguments:
            path.write_text(text)
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
