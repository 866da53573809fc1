"""The calls of file services as OpenAPI documents tell them (connectors 4 and 11)."""

from __future__ import annotations

from typing import Any

from trunkline.describe import (
    AS_ACCESS_LIST,
    AS_LIST,
    COMMON,
    SUCCESS,
    Description,
    Operation,
    Parameter,
    Path,
    Schema,
    in_path,
    list_of,
    query,
    ref,
)  # fmt: skip

_BINARY: Schema = {"type": "string", "format": "binary"}
_TEXT: dict[str, Any] = {"type": "string"}
_OPTIONAL_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_KIND: dict[str, Any] = {"type": "string", "enum": ["file", "folder"]}
_SCHEMAS: dict[str, Schema] = {
    "FileEntry": {
        "type": "object",
        "properties": {
            "path": {**_TEXT, "description": "Below the container; folders end in a slash."},
            "name": _TEXT,
            "type": _KIND,
            "content_type": _OPTIONAL_TEXT,
            "last_modified": {**_OPTIONAL_TEXT, "description": "As HTTP writes dates."},
            "content_length": {"type": ["integer", "null"], "minimum": 0},
        },
    },
    "FileList": list_of({"anyOf": [ref("FileEntry"), _TEXT]}),
    "FileProperties": {
        "type": "object",
        "required": ["path", "name"],
        "properties": {
            "path": _TEXT,
            "name": _TEXT,
            "content_type": _TEXT,
            "last_modified": _OPTIONAL_TEXT,
            "content_length": {"type": ["integer", "null"]},
            "content": {**_TEXT, "description": "Base64, unless `is_base64=false`; only with `content=true`."},
        },
    },
    "FileResult": {
        "type": "object",
        "required": ["name", "path"],
        "properties": {
            "name": {"type": ["string", "null"]},
            "path": {"type": ["string", "null"]},
            "type": {},
            "error": {"type": "object", "properties": {"message": _TEXT, "code": {"type": "integer"}}},
        },
    },
    "FileResults": {"anyOf": [ref("FileResult"), list_of(ref("FileResult"))]},
    "FileOrder": {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": _KIND,
            "name": {**_TEXT, "description": "The name of the source, where there is one and this is left out."},
            "content": _TEXT,
            "is_base64": {"type": "boolean"},
            "source_path": {**_TEXT, "description": "What is copied, below the container."},
            "source_container": {**_TEXT, "description": "Another container; for administrators."},
            "delete_source": {"type": "boolean", "description": "Move instead of copying."},
        },
    },
    "FileOrders": list_of(ref("FileOrder")),
    "FileNames": list_of(
        {"type": "object", "properties": {"type": _KIND, "path": _TEXT, "name": _TEXT}},
    ),
    "FileForm": {"type": "object", "properties": {"files": {"type": "array", "items": _BINARY}}},
    "Properties": {"type": "object", "minProperties": 1},
}


def _flag(name: str, words: str) -> Parameter:
    return query(name, "boolean", words)


_EXTRACT = _flag("extract", "Unpack a zip archive instead of storing it.")
_CLEAN = _flag("clean", "Empty the folder before unpacking.")
_CHECK = _flag("check_exist", "Refuse to replace a file.")
_URL = query("url", "string", "Fetch this address and store what it answers.")
_NAME = query("filename", "string", "The name for what is fetched.")
_FORCE = _flag("force", "Delete folders that are not empty.")
_CONTENT_ONLY = _flag("content_only", "Keep the folder and delete what is in it.")
_NO_CHECK = _flag("no_check", "Do not mind files that are not there.")
_PROPERTIES = _flag("include_properties", "Answer what is known of it instead of its content.")
_LISTING = (
    _flag("include_files", "List files; on unless switched off."),
    _flag("include_folders", "List folders; on unless switched off."),
    _flag("full_tree", "List folders below as well."),
    _PROPERTIES,
    query("search", "string", "Only names that contain this text."),
    _flag("zip", "Answer the folder as a zip archive."),
    AS_LIST,
    query("id_field", "string", "Which member `as_list` answers, `path` unless given."),
    query("fields", "string", "Which members to answer, comma separated; `*` for all."),
)
_ZIP = "application/zip"
_ANY = "*/*"
_IN_FOLDER = (
    "A file by the header `X-File-Name`, a folder by `X-Folder-Name`, what a URL answers, the files of a form, or what "
    "a list says; with nothing of these, the folder itself."
)


def _folder(*, is_root: bool) -> dict[str, Operation]:
    listing = (*_LISTING, AS_ACCESS_LIST) if is_root else _LISTING
    listed = {"anyOf": [ref("FileList"), ref("FileProperties")]}
    create = Operation(
        "Create files and folders.", "FolderContent", _IN_FOLDER, (_EXTRACT, _CLEAN, _CHECK, _URL, _NAME),
        ref("FileOrders"), {"multipart/form-data": ref("FileForm"), "application/octet-stream": _BINARY},
        body_is_needed=False, reply=ref("FileResults"), status=201,
    )  # fmt: skip
    return {
        "GET": Operation(
            "List a folder.", "Folder", "", listing, reply=listed, media_types=("application/json", _ZIP)
        ),
        "POST": create,
        "PUT": create,
        "PATCH": Operation(
            "Keep properties with a folder, where the store has a place for them.", "Folder", body=ref("Properties"),
            reply=SUCCESS,
        ),
        "DELETE": Operation(
            "Delete a folder, or what a list names.", "Folder", "", (_FORCE, _CONTENT_ONLY, _NO_CHECK),
            ref("FileNames"), body_is_needed=False, reply=ref("FileResults"),
        ),
    }  # fmt: skip


def _file() -> dict[str, Operation]:
    store = Operation(
        "Store a file; what is sent is its content.", "File", "", (_EXTRACT, _CLEAN, _CHECK),
        bodies={_ANY: _BINARY, "multipart/form-data": ref("FileForm")}, body_is_needed=False, reply=ref("FileResult"),
        status=201,
    )  # fmt: skip
    reading = (
        _flag("download", "Answer it as an attachment."),
        _PROPERTIES,
        _flag("content", "With `include_properties`: its content as well."),
        _flag("is_base64", "With `content`: whether as base64; on unless switched off."),
    )
    return {
        "GET": Operation(
            "Read a file, or a part of it by `Range`.", "File", "", reading, reply=ref("FileProperties"),
            also=(206, 304), media_types=("application/json", _ANY),
        ),
        "POST": store,
        "PUT": store,
        "PATCH": Operation(
            "Keep properties with a file, where the store has a place for them.", "File", body=ref("Properties"),
            reply=SUCCESS,
        ),
        "DELETE": Operation("Delete a file.", "File", "", (_NO_CHECK,), reply=ref("FileResult")),
    }  # fmt: skip


def described() -> Description:
    """Describe the root, folders and files; both are paths of any depth."""
    folder = in_path("folder_path", "Path of a folder.")
    file = in_path("file_path", "Path of a file.")
    return Description(
        [
            Path("", _folder(is_root=True)),
            Path("{folder_path}/", _folder(is_root=False), (folder,)),
            Path("{file_path}", _file(), (file,)),
        ],
        {**COMMON, **_SCHEMAS},
    )
