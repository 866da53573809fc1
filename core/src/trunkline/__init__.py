"""Trunkline: databases, files, mail, queues and APIs behind one access-controlled REST dialect."""

from __future__ import annotations

from trunkline.call import Call, Caller, Reply
from trunkline.config import Config, Field, Secret, Text
from trunkline.hooks import hookimpl, hookspec
from trunkline.service import Open, Resource, Service

__all__ = [
    "Call",
    "Caller",
    "Config",
    "Field",
    "Open",
    "Reply",
    "Resource",
    "Secret",
    "Service",
    "Text",
    "hookimpl",
    "hookspec",
]
