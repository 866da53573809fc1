"""Logging in with the people and groups of an LDAP directory, such as OpenLDAP, 389 or FreeIPA."""

from __future__ import annotations

import time
from collections.abc import Sequence

from trunkline_directory import ConnectionConfig, DirectoryService, Entry
from trunkline_directory.connection import Directory
from trunkline_directory.filters import all_of, any_of, same
from trunkline_user.external import Identity

# What directories call the one thing of an entry that never changes and never comes again.
_IDS = ("entryUUID", "nsUniqueId", "ipaUniqueID", "GUID")
_DAY = 86400


class LdapConfig(ConnectionConfig):
    """Where people and groups are (connectors 13.4)."""


class Ldap(DirectoryService):
    """Finds people by `uid` or address, and lets the directory judge their passwords."""

    label = "Standard LDAP"
    description = "Logs users in with an LDAP directory, and gives them the roles of their groups."
    origin = ("adldap", "ldap")
    attributes = (
        "uid", "mail", "cn", "sn", "givenName", "displayName", "memberOf", "gidNumber", "shadowExpire", "nsAccountLock",
        *_IDS,
    )  # fmt: skip
    group_filter = any_of(*(same("objectClass", one) for one in ("groupOfNames", "groupOfUniqueNames", "posixGroup")))
    config: LdapConfig

    def wanted(self, name: str) -> Sequence[str]:
        """Look for the name, then for the address."""
        suffix = self.config.account_suffix or ""
        full = name if name.endswith(suffix) else name + suffix
        return [same("uid", full), *([same("mail", name)] if "@" in name else [])]

    def identity(self, entry: Entry) -> Identity | None:
        """Say who it is, unless the account has ended or is locked."""
        uid, ends = entry.text("uid"), entry.number("shadowExpire")
        is_over = ends is not None and 0 <= ends * _DAY <= time.time()
        if not uid or is_over or (entry.text("nsAccountLock") or "").lower() == "true":
            return None
        return Identity(
            subject=entry.text(*_IDS) or entry.name,
            email=entry.text("mail"),
            # Who may be whom here is the directory's own word, and so is the address.
            email_is_verified=True,
            username=uid,
            name=entry.text("displayName", "cn"),
            first_name=entry.text("givenName"),
            last_name=entry.text("sn"),
        )

    def groups(self, directory: Directory, entry: Entry) -> list[str]:
        """List the group of the Unix account first, then those that the entry tells, then those that tell of it."""
        number, base = entry.text("gidNumber"), self.config.base_dn
        unix = same("objectClass", "posixGroup")
        first = directory.search(base, all_of(unix, same("gidNumber", number)), ["cn"], 1).entries if number else ()
        others = any_of(
            same("member", entry.name),
            same("uniqueMember", entry.name),
            all_of(unix, same("memberUid", entry.text("uid") or "")),
        )
        found = directory.search(base, others, ["cn"], self.most_groups).entries
        return [one.name for one in first] + entry.texts("memberOf") + [one.name for one in found]
