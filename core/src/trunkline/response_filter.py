"""What a role lets through of replies: fields that are left out, masked, or the only ones allowed (D33)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Mask = Literal["last4", "hash", "null"]
# From the weakest to the strongest: where several bind, the strongest does.
MASKS: tuple[Mask, ...] = ("last4", "hash", "null")
ACTIONS = ("exclude", "mask", "allow")
_SHOWN, _DIGITS = 4, 32


@dataclass(frozen=True, slots=True)
class ResponseFilter:
    """The filter of one access row, or of several together; names are in lower case, ``allowed`` None allows all."""

    excluded: frozenset[str] = frozenset()
    masks: tuple[tuple[str, Mask], ...] = ()
    allowed: frozenset[str] | None = None

    def hides(self, name: str) -> bool:
        """Say whether a field is left out."""
        name = name.lower()
        return name in self.excluded or (self.allowed is not None and name not in self.allowed)

    def mask_of(self, name: str) -> Mask | None:
        """Answer how a field is masked, if it is."""
        name = name.lower()
        return max((mask for one, mask in self.masks if one == name), key=MASKS.index, default=None)

    def seen(self, row: Mapping[str, Any], masker: Masker) -> dict[str, Any]:
        """Answer what of a row goes out, where nothing but names tells what its values are."""
        return {
            name: value if (mask := self.mask_of(name)) is None else masker(mask, value)
            for name, value in row.items()
            if not self.hides(name)
        }


class Masker:
    """Masks values; hashes are keyed, so that nobody can find a value by trying."""

    def __init__(self, key: bytes) -> None:
        """Take the key."""
        self._key = key

    def __call__(self, mask: Mask, value: Any) -> Any:
        """Answer what is shown instead of a value: nothing, a digest, or its last four letters behind asterisks."""
        if value is None or mask == "null":
            return None
        text = value if isinstance(value, str) else str(value)
        if mask == "hash":
            return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hexdigest()[:_DIGITS]
        shown = text[-_SHOWN:] if len(text) > _SHOWN else ""
        return "*" * (len(text) - len(shown)) + shown


def read(entries: Sequence[Mapping[str, Any]]) -> ResponseFilter | None:
    """Read entries ``{name, action, value}``: exclude, allow, or mask with one of MASKS. Raises ValueError."""
    excluded, allowed = set(), set()
    masks: list[tuple[str, Mask]] = []
    for one in entries:
        name, action = one.get("name"), str(one.get("action") or "").lower()
        if not isinstance(name, str) or not name.strip():
            raise ValueError("an entry needs the name of a field")
        name = name.strip().lower()
        if action == "exclude":
            excluded.add(name)
        elif action == "allow":
            allowed.add(name)
        elif action == "mask" and one.get("value") in MASKS:
            masks.append((name, one["value"]))
        else:
            raise ValueError(f"the action for '{name[:64]}' must be exclude, allow, or mask with last4, hash or null")
    if not (excluded or allowed or masks):
        return None
    return ResponseFilter(frozenset(excluded), tuple(masks), frozenset(allowed) if allowed else None)


def joined(filters: Iterable[ResponseFilter]) -> ResponseFilter | None:
    """Put filters together so that all of them bind; None when there are none."""
    found = tuple(filters)
    if len(found) < 2:
        return found[0] if found else None
    narrowed = [one.allowed for one in found if one.allowed is not None]
    return ResponseFilter(
        frozenset().union(*(one.excluded for one in found)),
        tuple(pair for one in found for pair in one.masks),
        frozenset.intersection(*narrowed) if narrowed else None,
    )
