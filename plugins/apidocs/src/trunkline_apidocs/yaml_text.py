"""YAML in and out, without aliases: a short text could stand for an endless one, and readers would stumble."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.events import AliasEvent
from yaml.nodes import Node

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Plain(_Dumper):  # type: ignore[misc]  # the C dumper has no types
    def ignore_aliases(self, _data: Any) -> bool:
        """Write what stands in several places each time."""
        return True


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Refuse aliases."""
        if self.check_event(AliasEvent):
            raise ComposerError(None, None, "aliases are not taken", None)
        return super().compose_node(parent, index)


def dump(value: Any) -> bytes:
    """Render a document."""
    text: str = yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    return text.encode()


def load(text: str) -> Any:
    """Read a document; raises ValueError. Dates stay the texts that they are."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a safe loader
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
