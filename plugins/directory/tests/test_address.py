"""What hosts mean."""

import pytest

from trunkline_directory.address import Address, Encryption


@pytest.mark.parametrize(
    ("host", "encryption", "meant"),
    [
        ("dc1", None, ("dc1", 389, "none")), ("dc1:390", None, ("dc1", 390, "none")),
        ("dc1", "ldaps", ("dc1", 636, "ldaps")),
        ("dc1", "starttls", ("dc1", 389, "starttls")), ("ldap://dc1", None, ("dc1", 389, "none")),
        ("ldaps://dc1", None, ("dc1", 636, "ldaps")), ("LDAPS://dc1/", "ldaps", ("dc1", 636, "ldaps")),
        ("ldaps://dc1:1636", None, ("dc1", 1636, "ldaps")), ("dc1:636", None, ("dc1", 636, "ldaps")),
        ("dc1:3269", None, ("dc1", 3269, "ldaps")), ("dc1:636", "starttls", ("dc1", 636, "starttls")),
        ("[::1]:390", None, ("::1", 390, "none")), ("ldaps://[fe80::1]", None, ("fe80::1", 636, "ldaps")),
        (" dc1.example.org ", "none", ("dc1.example.org", 389, "none")),
    ],
)  # fmt: skip
def test_hosts(host: str, encryption: Encryption | None, meant: tuple[str, int, Encryption]) -> None:
    assert Address.of(host, encryption) == Address(*meant)


@pytest.mark.parametrize(
    ("host", "encryption"),
    [
        ("", None), ("a b", None), ("http://dc1", None), ("dc1:0", None), ("dc1:65536", None), ("dc1:x", None),
        ("user@dc1", None), ("dc1/dc=x", None), ("ldaps://dc1", "starttls"), ("ldaps://dc1", "none"), ("::1", None),
    ],
)  # fmt: skip
def test_what_is_no_host(host: str, encryption: Encryption | None) -> None:
    with pytest.raises(ValueError, match="host"):
        Address.of(host, encryption)
