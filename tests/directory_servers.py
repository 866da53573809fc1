"""The directories of a test run: OpenLDAP and a domain controller of Samba's, each with people and groups."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import os
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from processes import free_port
from servers import Server, serving

# Every character that means something in filters, names and addresses of directories.
ODD = 'a*(b)\\c,d="e"#;<>+ é'
Entry = tuple[str, Sequence[str], Mapping[str, Any]]


def certificates(folder: Path, address: str) -> None:
    """Write ``ca.pem``, and ``key.pem`` and ``cert.pem`` for an address, signed by it."""
    now = dt.datetime.now(dt.UTC)

    def made(name: str, issuer: str, own: Any, signs: Any, extension: Any) -> x509.Certificate:
        names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in (name, issuer)]
        return (
            x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(own.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1)).add_extension(extension, critical=name == issuer)
            .sign(signs, hashes.SHA256())
        )  # fmt: skip

    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = made("test authority", "test authority", authority, authority, x509.BasicConstraints(True, None))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    leaf = made(address, "test authority", key, authority, names)
    kept = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for name, content in (("ca", root), ("cert", leaf)):
        (folder / f"{name}.pem").write_bytes(content.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(kept)


class DirectoryServer(Server):
    """A directory whose people all have the server's password."""

    address = "127.0.0.1"
    base: str
    root: str

    @property
    def authority(self) -> str:
        """The certificate of those who signed the server's, as PEM."""
        return (self.folder / "ca.pem").read_text()

    def connection(self, user: str | None = None) -> Any:
        """Connect as the directory's own administrator, or as somebody else; to be unbound."""
        from trunkline_directory.driver import ldap3

        server = ldap3.Server(self.address, self.port, get_info=ldap3.NONE)
        return ldap3.Connection(server, user or self.root, self.password, auto_bind=True, check_names=False)

    @contextlib.contextmanager
    def connected(self) -> Iterator[Any]:
        """Keep a connection for the length of the block."""
        connection = self.connection()
        try:
            yield connection
        finally:
            connection.unbind()

    def add(self, entries: Sequence[Entry]) -> None:
        """Make entries; raises when the server refuses one."""
        with self.connected() as connection:
            for name, classes, attributes in entries:
                if not connection.add(name, list(classes), dict(attributes)):
                    raise RuntimeError(f"{name}: {connection.result}")

    def remove(self, name: str) -> None:
        """Delete an entry, also one that only refers elsewhere."""
        with self.connected() as connection:
            if not connection.delete(name, controls=[("2.16.840.1.113730.3.4.2", True, None)]):
                raise RuntimeError(f"{name}: {connection.result}")

    def change(self, name: str, **attributes: Any) -> None:
        """Replace attributes of an entry."""
        with self.connected() as connection:
            if not connection.modify(name, {key: [("MODIFY_REPLACE", value)] for key, value in attributes.items()}):
                raise RuntimeError(f"{name}: {connection.result}")

    def is_ready(self) -> bool:
        """Say whether the port is open."""
        with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), timeout=1):
            return True
        return False

    def new_config(self) -> dict[str, Any]:
        """Answer the configuration of a service on it."""
        return {"host": f"{self.address}:{self.port}", "base_dn": self.base}


class OpenLdap(DirectoryServer):
    """OpenLDAP, which takes a bind without a password for one as nobody, as careless servers do."""

    name = "OpenLDAP"
    programs = ("slapd",)
    account = "openldap"
    base = "dc=example,dc=org"
    root = "cn=root,dc=example,dc=org"
    people = "ou=people,dc=example,dc=org"
    reader = "cn=reader,dc=example,dc=org"
    unix_account = {"uidNumber": 1, "gidNumber": 100, "homeDirectory": "/"}  # noqa: RUF012 - never changed

    def prepare(self) -> None:
        """Write the configuration."""
        self.tls_port = free_port()
        certificates(self.folder, self.address)
        places = [Path(one) for one in ("/usr/lib/ldap", "/usr/lib/openldap", "/usr/libexec/openldap")]
        modules = next(one for one in places if one.is_dir())
        # What is closed can be found by the reader alone; whose password it is, anybody may show.
        lines = (
            *(f"include /etc/ldap/schema/{one}.schema" for one in ("core", "cosine", "nis", "inetorgperson")),
            f"modulepath {modules}", "moduleload back_mdb", "moduleload memberof", "moduleload ppolicy",
            "allow bind_anon_dn", f"pidfile {self.folder}/pid", f"TLSCACertificateFile {self.folder}/ca.pem",
            f"TLSCertificateFile {self.folder}/cert.pem", f"TLSCertificateKeyFile {self.folder}/key.pem",
            "database mdb", f'suffix "{self.base}"', f'rootdn "{self.root}"', f"rootpw {self.password}",
            f"directory {self.folder}/data", "maxsize 67108864", "index objectClass,uid,mail,member eq",
            'access to attrs=userPassword by anonymous auth by * none',
            f'access to dn.subtree="ou=closed,{self.base}" by dn.exact="{self.reader}" read by * none',
            "access to * by * read", "overlay memberof", "memberof-group-oc groupOfNames", "memberof-member-ad member",
            "overlay ppolicy", f'ppolicy_default "cn=policy,{self.base}"',
        )  # fmt: skip
        (self.folder / "data").mkdir()
        (self.folder / "slapd.conf").write_text("\n".join(lines) + "\n")
        if os.getuid() == 0:
            for one in self.folder.iterdir():
                os.chown(one, *_ids(self.account))

    def command(self) -> list[str]:
        """Run in the foreground."""
        listens = f"ldap://{self.address}:{self.port} ldaps://{self.address}:{self.tls_port}"
        return [self.program("slapd"), "-d", "0", "-f", str(self.folder / "slapd.conf"), "-h", listens]

    def start(self) -> None:
        """Start, the first time with the people that there are."""
        is_new = not any((self.folder / "data").iterdir())
        super().start()
        if is_new:
            self.add(self._entries())
            self.change(self.person("locked"), pwdAccountLockedTime="000001010000Z")
            self.change(self.person("reset"), pwdReset="TRUE")

    def person(self, uid: str, place: str = "people") -> str:
        """Answer the name of somebody's entry."""
        return f"uid={_escaped(uid)},ou={place},{self.base}"

    def group(self, name: str) -> str:
        """Answer the name of a group's entry."""
        return f"cn={name},ou=groups,{self.base}"

    def somebody(self, uid: str, place: str = "people", **more: Any) -> Entry:
        """Describe a person as ``add`` takes it."""
        classes = ["inetOrgPerson", *more.pop("classes", ())]
        usual = {"cn": uid, "sn": "Doe", "mail": f"{uid}@example.org", "userPassword": self.password}
        return self.person(uid, place), classes, usual | more

    def _entries(self) -> list[Entry]:
        account, unix = self.unix_account, ("posixAccount", "shadowAccount")
        return [
            (self.base, ["dcObject", "organization"], {"o": "Example"}),
            *((f"ou={one},{self.base}", ["organizationalUnit"], {}) for one in ("people", "groups", "closed")),
            (f"cn=policy,{self.base}", ["device", "pwdPolicy"], {
                "pwdAttribute": "userPassword", "pwdMustChange": "TRUE", "pwdLockout": "TRUE",
            }),
            (self.reader, ["organizationalRole", "simpleSecurityObject"], {"userPassword": self.password}),
            self.somebody(
                "jdoe", givenName="Jane", displayName="Jane Doe", mail=["jane.doe@example.org", "j@example.org"],
                classes=unix, **account,
            ),
            self.somebody("bob"), self.somebody("locked"), self.somebody("reset"),
            self.somebody("expired", classes=unix, shadowExpire=1, **account),
            self.somebody("twin1", mail="twin@example.org"), self.somebody("twin2", mail="twin@example.org"),
            self.somebody(ODD, mail="odd@example.org"), self.somebody("hidden", "closed"),
            (self.person("mute"), ["inetOrgPerson"], {"cn": "mute", "sn": "x"}),
            (self.group("staff"), ["groupOfNames"], {"member": [self.person("jdoe"), self.person(ODD)]}),
            (self.group("editors"), ["groupOfNames"], {"member": [self.person("bob")]}),
            (self.group("reviewers"), ["groupOfUniqueNames"], {"uniqueMember": [self.person("jdoe")]}),
            (self.group("users"), ["posixGroup"], {"gidNumber": 100}),
            (self.group("developers"), ["posixGroup"], {"gidNumber": 200, "memberUid": ["jdoe", "other"]}),
        ]  # fmt: skip


class SambaDomain(DirectoryServer):
    """A domain controller of Samba's, on an address of its own, since the ports of a domain are fixed."""

    name = "Samba"
    programs = ("samba", "samba-tool")
    account = "root"
    base = "DC=ad,DC=example,DC=org"
    suffix = "@ad.example.org"
    root = "Administrator@ad.example.org"
    port, tls_port = 389, 636

    def __init__(self, folder: Path) -> None:
        """Choose an address, and a password that fits the domain's rules."""
        super().__init__(folder)
        if os.getuid() != 0:
            self.unfit("a domain controller has to run as root")
        self.port = 389
        self.address = "127." + ".".join(str(1 + secrets.randbelow(250)) for _ in range(3))
        self.password = f"Pass-{self.password}"

    @classmethod
    def unfit(cls, reason: str) -> None:
        """Skip the test, or fail where CI wants all of them."""
        told = f"{cls.name}: {reason}"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)

    def prepare(self) -> None:
        """Make the domain."""
        self.run(
            self.program("samba-tool"), "domain", "provision", f"--targetdir={self.folder}/dc",
            "--realm=AD.EXAMPLE.ORG", "--domain=EXAMPLE", "--server-role=dc", "--dns-backend=NONE",
            f"--adminpass={self.password}", "--host-name=dc1", f"--host-ip={self.address}", *self._interfaces(),
        )  # fmt: skip
        certificates(self.folder, self.address)
        (self.folder / "key.pem").chmod(0o600)

    def _interfaces(self) -> list[str]:
        return [f"--option=interfaces={self.address}/8", "--option=bind interfaces only=yes"]

    def command(self) -> list[str]:
        """Run in the foreground, for LDAP alone."""
        for one in ("run", "ntp", "rpc", "winbindd"):
            (self.folder / one).mkdir(mode=0o700, exist_ok=True)
        options = {
            "server services": "ldap, cldap, kdc", "ldap server require strong auth": "no",
            "pid directory": f"{self.folder}/run", "ncalrpc dir": f"{self.folder}/rpc",
            "ntp signd socket directory": f"{self.folder}/ntp", "winbindd socket directory": f"{self.folder}/winbindd",
            "tls keyfile": f"{self.folder}/key.pem", "tls certfile": f"{self.folder}/cert.pem",
            "tls cafile": f"{self.folder}/ca.pem",
        }  # fmt: skip
        return [
            self.program("samba"), "-F", "--no-process-group", "-M", "single", "-s", f"{self.folder}/dc/etc/smb.conf",
            "--debug-stdout", *self._interfaces(), *(f"--option={name}={value}" for name, value in options.items()),
        ]  # fmt: skip

    def start(self) -> None:
        """Start, the first time with the people that there are."""
        super().start()
        if not (self.folder / "filled").exists():
            self._fill()
            (self.folder / "filled").touch()

    def connection(self, user: str | None = None) -> Any:
        """Connect encrypted, as passwords can not be set otherwise."""
        from trunkline_directory.driver import ldap3

        server = ldap3.Server(self.address, self.tls_port, use_ssl=True, get_info=ldap3.NONE)
        return ldap3.Connection(server, user or self.root, self.password, auto_bind=True, check_names=False)

    def person(self, name: str) -> str:
        """Answer the name of somebody's entry."""
        return f"CN={_escaped(name)},CN=Users,{self.base}"

    group = person

    def somebody(self, name: str, **more: Any) -> Entry:
        """Describe a person as ``add`` takes it."""
        usual = {
            "sAMAccountName": name, "userPrincipalName": f"{name}{self.suffix}", "mail": f"{name}@example.org",
            "unicodePwd": f'"{self.password}"'.encode("utf-16-le"), "userAccountControl": 512,
        }  # fmt: skip
        return self.person(name), ["user"], usual | more

    def _fill(self) -> None:
        self.add([
            self.somebody(
                "jdoe", givenName="Jane", sn="Doe", displayName="Jane Doe", userPrincipalName="jane.doe@corp.example",
                mail="jane@mail.example",
            ),
            self.somebody("bob"), self.somebody("reader"), self.somebody("disabled", userAccountControl=514),
            self.somebody("ended", accountExpires=116444736010000000), self.somebody("fresh", pwdLastSet=0),
            (self.person("a*(b)\\c,d#; é"), ["user"], {
                "sAMAccountName": "a(b)# é", "mail": "odd@example.org", "userAccountControl": 512,
                "unicodePwd": f'"{self.password}"'.encode("utf-16-le"),
            }),
            (self.group("PC1"), ["computer"], {"sAMAccountName": "PC1$", "userAccountControl": 4096}),
            (self.group("staff"), ["group"], {"sAMAccountName": "staff", "member": [self.person("jdoe")]}),
            (self.group("division"), ["group"], {"sAMAccountName": "division", "member": [self.group("staff")]}),
            (self.group("company"), ["group"], {"sAMAccountName": "company", "member": [self.group("division")]}),
            (self.group("editors"), ["group"], {"sAMAccountName": "editors", "member": [self.person("bob")]}),
        ])  # fmt: skip


def _escaped(value: str) -> str:
    """Write a value so that it can stand in a name, every other sign than letters as its bytes."""
    return "".join(
        one if one.isalnum() or one == " " else "".join(f"\\{byte:02x}" for byte in one.encode()) for one in value
    )


def _ids(account: str) -> tuple[int, int]:
    import pwd

    found = pwd.getpwnam(account)
    return found.pw_uid, found.pw_gid


@pytest.fixture(scope="session")
def openldap_server() -> Iterator[Server]:
    """An OpenLDAP that all tests share; who kills one takes one of their own."""
    with serving(OpenLdap) as server:
        yield server


@pytest.fixture(scope="session")
def samba_server() -> Iterator[Server]:
    """A domain controller that all tests share; who kills one takes one of their own."""
    with serving(SambaDomain) as server:
        yield server
