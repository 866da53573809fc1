"""The type ``adldap`` (connectors 13.4)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from trunkline import Field
from trunkline_adldap import values
from trunkline_adldap.resources import Computers, Groups, Users
from trunkline_directory import AccountConfig, ConnectionConfig, DirectoryService, Entry
from trunkline_directory.connection import Directory
from trunkline_directory.filters import all_of, any_of, escaped, same
from trunkline_user.external import Identity

# Members of members count too: LDAP_MATCHING_RULE_IN_CHAIN.
_IN_CHAIN = "1.2.840.113556.1.4.1941"
_DISABLED, _LOCKED, _PASSWORD_EXPIRED = 0x2, 0x10, 0x800000


class _HierarchyConfig(AccountConfig):
    """Stands between, as the form of ours comes last."""

    map_group_hierarchy: bool = Field(
        default=False,
        title="Allow Group Hierarchy When Mapping",
        description="Whether the groups count too that groups are in.",
    )


class AdldapConfig(ConnectionConfig, _HierarchyConfig):
    """Where the domain is, and who searches it."""


class Adldap(DirectoryService):
    """Finds people by account name, principal name or address, and lets the domain judge their passwords."""

    label = "Active Directory"
    description = "Logs users in with Active Directory, gives them the roles of their groups, and reads the directory."
    origin = ("adldap", "adldap")
    resources = (Computers, Groups, Users)
    attributes = (
        "sAMAccountName", "objectGUID", "objectSid", "mail", "cn", "sn", "givenName", "displayName", "memberOf",
        "primaryGroupID", "userAccountControl", "accountExpires", "msDS-User-Account-Control-Computed",
    )  # fmt: skip
    group_filter = Groups.kind
    config: AdldapConfig

    @property
    def suffix(self) -> str:
        """What stands behind account names: as configured, or the domain that the base names."""
        return self.config.account_suffix or values.domain_of(self.config.base_dn)

    @property
    def account(self) -> tuple[str, str] | None:
        """The account that searches; a bare name is one of the domain."""
        found = super().account
        if found is None or any(sign in found[0] for sign in "@\\="):
            return found
        return found[0] + self.suffix, found[1]

    def own_name(self, name: str) -> str | None:
        """Let people without an account that searches do so for themselves, since a domain shows nothing to nobody."""
        return name if "@" in name else name + self.suffix

    def wanted(self, name: str) -> Sequence[str]:
        """Look for the account name; of what looks like an address for the principal, the account and the mail."""
        local, at, _domain = name.rpartition("@")
        if not at:
            return [all_of(Users.kind, same("sAMAccountName", name))]
        is_ours = name.lower().endswith(self.suffix.lower())
        fields = [("userPrincipalName", name), *([("sAMAccountName", local)] if is_ours else []), ("mail", name)]
        return [all_of(Users.kind, same(*one)) for one in fields]

    def identity(self, entry: Entry) -> Identity | None:
        """Say who it is, unless the account is disabled, locked or expired."""
        name, guid = entry.text("sAMAccountName"), entry.raw("objectGUID")
        flags = entry.number("userAccountControl") or 0
        computed = entry.number("msDS-User-Account-Control-Computed") or 0
        is_barred = flags & _DISABLED or computed & (_LOCKED | _PASSWORD_EXPIRED)
        if not name or guid is None or len(guid) != 16 or is_barred:
            return None
        if values.is_over(entry.number("accountExpires"), time.time()):
            return None
        return Identity(
            subject=str(uuid.UUID(bytes_le=guid)),
            email=entry.text("mail"),
            # Who may be whom here is the directory's own word, and so is the address.
            email_is_verified=True,
            username=name,
            name=entry.text("displayName", "cn"),
            first_name=entry.text("givenName"),
            last_name=entry.text("sn"),
        )

    def groups(self, directory: Directory, entry: Entry) -> list[str]:
        """List the primary group first, then those that somebody is in, then those that these are in."""
        primary = self._primary(directory, entry)
        found = primary + entry.texts("memberOf")
        if not self.config.map_group_hierarchy:
            return found
        names = [entry.name, *primary]
        above = any_of(*(f"(member:{_IN_CHAIN}:={escaped(one)})" for one in names))
        return found + [
            one.name for one in directory.search(self.config.base_dn, above, ["cn"], self.most_groups).entries
        ]

    def _primary(self, directory: Directory, entry: Entry) -> list[str]:
        """Find the primary group, of which neither side tells: its number stands for the end of its SID."""
        sid, number = entry.raw("objectSid"), entry.number("primaryGroupID")
        if sid is None or number is None or len(sid) < 12 or not 0 < number < 2**32:
            return []
        wanted = same("objectSid", sid[:-4] + number.to_bytes(4, "little"))
        return [one.name for one in directory.search(self.config.base_dn, wanted, ["cn"], 1).entries]
