"""OpenStack Object Storage, which several types share: they only log in in ways of their own."""

from __future__ import annotations

from trunkline_files.swift.config import SwiftConfig
from trunkline_files.swift.connection import Connection
from trunkline_files.swift.login import Access, Login
from trunkline_files.swift.store import SwiftStore

__all__ = ["Access", "Connection", "Login", "SwiftConfig", "SwiftStore"]
