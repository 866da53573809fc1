from __future__ import annotations

from typing import Any

import pytest

from trunkline import Open, Resource, Service
from trunkline.authorize import AccessRow, Role
from trunkline.call import SYSTEM, VERBS, Call, Caller
from trunkline.describe import Operation, Path, Rights
from trunkline.testing import Gateway


class Below(Resource):
    name = "below"


class Boxes(Resource):
    name = "box"
    children = (Below,)
    operations = {"GET": Operation("List boxes.", "Boxes")}  # noqa: RUF012
    paths_below = (Path("{id}", {"GET": Operation("Read a box.", "Box")}),)

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Unseen, since ``operations`` says more."""

    async def delete(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Throw boxes
        away.

        Not shown.
        """


class Attic(Service):
    label = "Attic"
    resources = (Boxes,)
    open_paths = (Open("box", VERBS["DELETE"]),)


@pytest.fixture
def attic(fresh_gateway: Gateway) -> Attic:
    fresh_gateway.app.registry.add("attic", Attic)
    fresh_gateway.create_service("attic", "attic")

    async def build() -> Service | None:
        return await fresh_gateway.app.services.named("attic")

    found = fresh_gateway._http.portal.call(build)  # type: ignore[union-attr]  # it is started
    assert isinstance(found, Attic)
    return found


@pytest.mark.anyio
async def test_declarations_and_docstrings_tell_what_verbs_do(attic: Attic) -> None:
    described = await attic.openapi(SYSTEM)
    told = {one.path: {verb: two.summary for verb, two in one.operations.items()} for one in described.paths}
    assert told == {
        "": {"GET": "List the resources that you may use."},
        "box": {"GET": "List boxes.", "DELETE": "Throw boxes away."},
        "box/{id}": {"GET": "Read a box."},
        "box/below": {},
    }


def allowed(attic: Attic, rows: list[tuple[str, int]], paths: list[Path]) -> set[tuple[str, str, Any]]:
    granted = tuple(AccessRow(attic.record.id, component, verbs, 3) for component, verbs in rows)
    caller = Caller(role=Role(1, "role", True, granted))
    rights = Rights(attic.app, caller, attic.record, paths)
    return {(one.verb, one.path.path, tuple(one.names) if one.names else None) for one in rights.allowed(paths)}


ALL = {verb: Operation("") for verb in VERBS}


def test_names_are_those_that_may_be_used(attic: Attic) -> None:
    paths = [Path("box/{id}", ALL, names={"id": ["a", "b", "c(1)"]})]
    assert allowed(attic, [("box/a", 1), ("box/*", 2)], paths) == {
        ("GET", "box/{id}", ("a",)), ("POST", "box/{id}", ("b", "c(1)")),
    }  # fmt: skip
    assert allowed(attic, [("box/c", 16)], paths) == {("DELETE", "box/{id}", ("c(1)",))}


def test_a_placeholder_is_some_value_that_rows_name_or_any_other(attic: Attic) -> None:
    paths = [Path("box/{id}", ALL), Path("box/below", ALL)]
    assert allowed(attic, [("*", 1), ("box/7", 8), ("box/below", 16)], paths) == {
        ("GET", "box/{id}", None), ("PATCH", "box/{id}", None), ("DELETE", "box/below", None),
    }  # fmt: skip


def test_open_paths_and_what_the_handler_needs(attic: Attic) -> None:
    user = {"GET": Operation("", needs="user"), "POST": Operation("", needs="all rights"), "DELETE": Operation("")}
    assert allowed(attic, [("*", 31)], [Path("box", user)]) == {("DELETE", "box", None)}
    assert allowed(attic, [], [Path("box", ALL)]) == {("DELETE", "box", None)}
