"""Names and filters of topics (MQTT 5, 4.7)."""

from __future__ import annotations

_LONGEST = 65535


def is_topic(name: object) -> bool:
    """Say whether a message can be published under a name."""
    return _is_text(name) and not set("+#") & set(str(name))


def is_filter(name: object) -> bool:
    """Say whether a name can be subscribed to."""
    if not _is_text(name):
        return False
    levels = str(name).split("/")
    return all(one in ("+", "#") or not set("+#") & set(one) for one in levels) and "#" not in levels[:-1]


def _is_text(name: object) -> bool:
    if not isinstance(name, str) or not name or "\0" in name:
        return False
    try:
        return len(name.encode()) <= _LONGEST
    except UnicodeEncodeError:
        return False


def matches(one: str, topic: str) -> bool:
    """Say whether a topic is one of those that a filter stands for."""
    wanted, levels = one.split("/"), topic.split("/")
    if wanted[0] in ("+", "#") and levels[0].startswith("$"):
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in ("+", levels[place]):
            return False
    return len(wanted) == len(levels)


def overlap(one: str, other: str) -> bool:
    """Say whether there can be a topic that both filters stand for."""
    left, right = one.split("/"), other.split("/")
    for mine, theirs in zip(left, right, strict=False):
        if "#" in (mine, theirs):
            return True
        if mine != theirs and "+" not in (mine, theirs):
            return False
    longer, length = (left, len(right)) if len(left) > len(right) else (right, len(left))
    # ``a/#`` stands for ``a`` as well.
    return len(left) == len(right) or longer[length:] == ["#"]
