"""``system/event_script`` and ``system/script_type`` (system-api 16.1)."""

from __future__ import annotations

from typing import Any

from trunkline import json
from trunkline.app import App
from trunkline.call import Call, Reply
from trunkline.errors import BadRequest, NotFound, Unavailable
from trunkline.service import Resource
from trunkline_scripting.settings import load
from trunkline_scripting.table import event_script
from trunkline_system.fields import invalid
from trunkline_system.model import STAMPS, Model, Row, Work
from trunkline_system.stored import StoredResource

# Both are Python 3.
LANGUAGES = {"python3": "Python 3", "python": "Python"}


class EventScriptModel(Model):
    """A script under the name of the event that runs it."""

    table = event_script
    shapes = {"config": {}}  # noqa: RUF012 - declared as a ClassVar by the parent
    resource = "event_script"
    key = "name"
    read_only = STAMPS

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Show the configuration as it came, and that nothing is linked."""
        linked = dict.fromkeys(("storage_service_id", "storage_path", "scm_repository", "scm_reference"))
        return {**super().shown(app, row), **linked}

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Check language and text now: a script that cannot run must not be found out by a caller."""
        given = dict(given)
        if isinstance(given.get("config"), dict | list):
            given["config"] = json.dumps(given["config"]).decode()
        values = super().values(work, given, row)
        if "type" in values:
            if values["type"] not in LANGUAGES:
                raise invalid("type", f"The selected type is invalid. Known are {', '.join(LANGUAGES)}.")
            demand_enabled(values["type"])
        if values.get("content"):
            try:
                compile_check(values["content"])
            except SyntaxError as error:
                raise invalid("content", f"The content is no Python: {error.msg} (line {error.lineno}).") from None
        return values


class EventScripts(StoredResource):
    """Scripts that run before, after and beside calls."""

    name = "event_script"
    label = "Event Scripts"
    description = "Scripts under the names of events."
    model = EventScriptModel

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Create scripts; with a name in the path, create or change that one (201 or 200)."""
        if not rest:
            return await super().post(call, rest)
        self._no_more(rest, 1)
        if not isinstance(call.body, dict):
            raise BadRequest("A script is sent as an object.")
        if isinstance(kind := call.body.get("type"), str) and kind in LANGUAGES:
            demand_enabled(kind)
        call.body = {**call.body, "name": rest[0]}
        try:
            return await self.patch(call, rest)
        except NotFound:
            made = await super().post(call, ())
            return Reply(made.content, 201)


class ScriptTypes(Resource):
    """Languages of scripts."""

    name = "script_type"
    label = "Script Types"
    description = "Languages that scripts can be written in."
    read_only = True

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List the languages, or answer one by name."""
        known = [_described(name) for name in LANGUAGES if not load().refuses(name)]
        if not rest:
            return {"resource": [one["name"] for one in known] if call.flag("as_list") else known}
        found = next((one for one in known if one["name"] == rest[0].lower()), None)
        if found is None:
            raise NotFound(f"Script engine type '{rest[0]}' not found.")
        return found


def _described(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": LANGUAGES[name],
        "description": "Server-side script, run in a process of its own within limits.",
        "sandboxed": True,
        "supports_inline_execution": False,
    }


def demand_enabled(language: str) -> None:
    """Raise Unavailable for a language that is switched off (system-api 16.1)."""
    settings = load()
    if settings.refuses("all"):
        raise Unavailable("All scripting is disabled for this instance.")
    if settings.refuses(language):
        raise Unavailable(f"Scripting with {language} is disabled for this instance.")


def compile_check(text: str) -> None:
    """Raise SyntaxError unless the text can be the body of a function; nothing of it runs."""
    import ast

    tree = ast.parse("def script(event, platform):\n    pass")
    body = ast.parse(text).body
    if body and isinstance(tree.body[0], ast.FunctionDef):
        tree.body[0].body = body
    compile(tree, "<script>", "exec")
