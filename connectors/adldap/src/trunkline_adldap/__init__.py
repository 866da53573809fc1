"""Logging in with Active Directory, and reading what it knows of users, groups and computers."""

from __future__ import annotations

from trunkline_adldap.service import Adldap, AdldapConfig

__all__ = ["Adldap", "AdldapConfig"]
