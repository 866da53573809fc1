"""Firebird databases as REST services."""

from trunkline_firebird.service import Firebird, FirebirdConfig

__all__ = ["Firebird", "FirebirdConfig"]
