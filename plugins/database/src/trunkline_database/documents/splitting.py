"""Taking a filter's tree apart: what an engine can judge, and what is left to be judged here."""

from __future__ import annotations

from collections.abc import Callable

from trunkline_database.filters import And, Comparison, Node, Not, all_of


def split(tree: Node | None, can: Callable[[Node], bool]) -> tuple[Node | None, Node | None]:
    """Answer two trees that hold together exactly where this one does; ``can`` says of any part if the engine can.

    Only parts that are joined by AND at the top come apart; whatever else the engine cannot do stays as it is.
    """
    if tree is None:
        return None, None
    if can(tree):
        return tree, None
    if not isinstance(tree, And):
        return None, tree
    engine: list[Node] = []
    rest: list[Node] = []
    for item in tree.items:
        done, left = split(item, can)
        if done is not None:
            engine.append(done)
        if left is not None:
            rest.append(left)
    return all_of(*engine), all_of(*rest)


def throughout(can: Callable[[Comparison], bool], *joins: type) -> Callable[[Node], bool]:
    """Make ``can`` for an engine that knows some of And, Or and Not, from what it can do with single comparisons."""

    def whole(node: Node) -> bool:
        if isinstance(node, Comparison):
            return can(node)
        if not isinstance(node, joins):
            return False
        return whole(node.item) if isinstance(node, Not) else all(whole(item) for item in node.items)

    return whole
