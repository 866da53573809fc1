"""The tools of file services (connectors 12.5): which call each of them is, and who may make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trunkline.authorize import lets_pass
from trunkline_mcp.tool import CREATE, FLAG, READ, TEXT, WRITE, Arguments, Request, Verb, params_of

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.call import Caller
    from trunkline.db.records import ServiceRecord

_PATH = {"path": {**TEXT, "description": "Path below the service, such as folder/name.txt."}}
_FOLDER = {"path": {"type": "string", "description": "Path of the folder; the top unless given."}}
_LISTING = ("include_files", "include_folders", "full_tree")
# Stands for a name that no access row has.
_ANY = "\0"


def _segments(arguments: Arguments) -> tuple[str, ...]:
    return tuple(one for one in arguments.get("path", "").split("/") if one)


def _listing(arguments: Arguments) -> Request:
    return Request("GET", _segments(arguments), params_of(arguments, *_LISTING), trailing_slash=True)


def _reading(arguments: Arguments) -> Request:
    return Request("GET", _segments(arguments))


def _storing(arguments: Arguments) -> Request:
    content = arguments["content"].encode("utf-8", "replace")
    headers = {"content-length": str(len(content))}
    return Request("POST", _segments(arguments), raw=content, media_type="text/plain", headers=headers)


FILE_VERBS: tuple[Verb, ...] = (
    Verb(
        "list_files", "List Files", "List the files and folders in a folder.",
        READ, "GET", "{path}", _listing,
        {
            **_FOLDER, "include_files": {**FLAG, "description": "Whether to list files."},
            "include_folders": {**FLAG, "description": "Whether to list folders."},
            "full_tree": {**FLAG, "description": "List what is in the folders below, too."},
        },
    ),
    Verb(
        "get_file", "Read File", "Read a file: text, an image, or sound.",
        READ, "GET", "{path}", _reading, _PATH, ("path",), aliases=("get_file_content",),
    ),
    Verb(
        "create_file", "Write File", "Store text as a file; one that is there is replaced.",
        CREATE, "POST", "{path}", _storing,
        {**_PATH, "content": {"type": "string", "description": "The text."}}, ("path", "content"),
    ),
    Verb(
        "get_file_properties", "File Properties", "Tell type, size and time of a file.",
        READ, "GET", "{path}", lambda a: Request("GET", _segments(a), {"include_properties": "true"}), _PATH, ("path",),
    ),
    Verb(
        "create_folder", "Create Folder", "Make a folder.",
        CREATE, "POST", "{path}", lambda a: Request("POST", _segments(a), trailing_slash=True), _PATH, ("path",),
    ),
    Verb(
        "delete_file", "Delete File", "Delete a file, or a folder: one that is not empty only by 'force'.",
        WRITE, "DELETE", "{path}", lambda a: Request("DELETE", _segments(a), params_of(a, "force")),
        {**_PATH, "force": {**FLAG, "description": "Delete what is in a folder, too."}}, ("path",),
    ),
)  # fmt: skip


def reaches(app: App, caller: Caller, record: ServiceRecord, verb: Verb) -> bool:
    """Say whether there is any path on which the caller may use a verb; paths of files have any number of parts."""
    if caller.is_admin:
        return True
    rows = caller.role.rows if caller.role is not None else ()
    named = {one.component for one in rows if one.service_id == record.id}
    tried = {_ANY, *(one.replace("*", _ANY) for one in named), *(one.replace("*", "").strip("/") for one in named)}
    # The service itself is a folder only.
    tried = tried - {""} if "path" in verb.required else tried | {""}
    return any(lets_pass(app, caller, verb.method, record, one) for one in tried)
