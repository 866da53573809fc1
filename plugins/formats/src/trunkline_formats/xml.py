"""XML without attributes: an element per key, a list as its key's element repeated (spec system-api 3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import defusedxml.ElementTree

from trunkline.errors import BadRequest
from trunkline.formats import Format, RenderOptions
from trunkline_formats.content import text_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_DEPTH = 100

_NOT_IN_NAMES = re.compile(r"[^\w.-]", re.ASCII)
_STARTS_NO_NAME = re.compile(r"[^A-Za-z_]|xml", re.IGNORECASE | re.ASCII)
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse(data: bytes) -> Any:
    """Parse a body: the root is left out unless it is ``resource``, repeated elements are lists, empty ones null.

    Raises BadRequest for what is malformed and, before anything is expanded, for every DTD or entity (checklist 8).
    """
    try:
        root = defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
    except defusedxml.DefusedXmlException:
        raise BadRequest("Invalid XML in request body: a document type or entity is not allowed.") from None
    except defusedxml.ElementTree.ParseError as error:
        raise BadRequest(f"Invalid XML in request body: {error}.") from None
    except (LookupError, ValueError):
        raise BadRequest("Invalid XML in request body: its encoding is not supported.") from None
    if _name(root) == "resource":
        return {"resource": [_value(root, 1)]}
    content = _value(root, 1)
    if isinstance(content, dict) and "resource" in content and not isinstance(content["resource"], list):
        content["resource"] = [] if content["resource"] is None else [content["resource"]]
    return content


def _value(element: Element, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise BadRequest(f"Invalid XML in request body: nested deeper than {MAX_DEPTH} elements.")
    if not len(element):
        return element.text or None
    children: dict[str, list[Any]] = {}
    for child in element:
        children.setdefault(_name(child), []).append(_value(child, depth + 1))
    return {name: values if len(values) > 1 else values[0] for name, values in children.items()}


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]  # without the namespace


def render(content: Any, options: RenderOptions) -> bytes:
    """Render the content under the root element, values escaped once (D14)."""
    root = _element_name(options.xml_root)
    if isinstance(content, list):
        content = {options.wrapper: content}
    if not isinstance(content, dict):
        return f'<?xml version="1.0" ?><{root}>{_text(content)}</{root}>'.encode()
    body = "".join(line + "\n" for line in _elements(content, 1))
    return f'<?xml version="1.0" ?><{root}>\n{body}</{root}>'.encode()


def _elements(content: dict[Any, Any], depth: int) -> Iterator[str]:
    for key, value in content.items():
        name = _element_name(str(key))
        for item in value if isinstance(value, list | tuple) else [value]:
            yield from _element(name, item, depth)


def _element(name: str, value: Any, depth: int) -> Iterator[str]:
    indent = "\t" * depth
    if isinstance(value, list | tuple):
        value = {"item": value}  # a list in a list has no key to repeat
    if not isinstance(value, dict):
        text = _text(value)
        yield f"{indent}<{name}>{text}</{name}>" if text else f"{indent}<{name}/>"
    elif value:
        yield f"{indent}<{name}>"
        yield from _elements(value, depth + 1)
        yield f"{indent}</{name}>"
    else:
        yield f"{indent}<{name}/>"


def _element_name(key: str) -> str:
    """Make a key an element's name: no blank, bracket or colon may come to mean something."""
    name = _NOT_IN_NAMES.sub("_", key)
    return f"_{name}" if not name or _STARTS_NO_NAME.match(name) else name


def _text(value: Any) -> str:
    # A reader turns a bare carriage return into a line feed; other control characters have no place in XML at all.
    return escape(_NOT_IN_XML.sub("\ufffd", text_of(value)), {"\r": "&#13;"})


FORMAT = Format(media_types=("application/xml", "text/xml"), extension="xml", parse=parse, render=render)
