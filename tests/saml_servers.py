"""The SAML identity provider of a test run."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from object_servers import OwnProcess
from servers import Server, serving

SHARED = Path("/usr/share/simplesamlphp")
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
#: The services of the tests at this provider, and whether assertions are encrypted for them.
SERVICES = {"suite_saml": False, "encrypted": True, "relaying": False, "everywhere": False}
PEOPLE = ("ann", "bob", "carl")


def pair(name: str) -> tuple[str, str]:
    """Make a key and a certificate for it, in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*formats).decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


class SimpleSaml(OwnProcess):
    """SimpleSAMLphp on the web server that comes with PHP, with a few people who have passwords."""

    name = "SimpleSAMLphp"
    programs = ("php",)

    def prepare(self) -> None:
        """Write configuration and metadata."""
        if not SHARED.is_dir():
            self.program("simplesamlphp")
        self.own = pair("trunkline")
        for one in ("config", "metadata", "cert", "logs", "data", "tmp", "sessions"):
            (self.folder / one).mkdir()
        key, self.certificate = pair("idp")
        (self.folder / "cert" / "idp.key").write_text(key)
        (self.folder / "cert" / "idp.pem").write_text(self.certificate)
        at = self.folder
        (at / "config" / "config.php").write_text(f"""<?php
require '/etc/simplesamlphp/config.php';
$config = array_merge($config, [
  'baseurlpath' => '{self.address}/', 'certdir' => '{at}/cert/', 'loggingdir' => '{at}/logs/',
  'datadir' => '{at}/data/', 'tempdir' => '{at}/tmp', 'metadatadir' => '{at}/metadata/', 'secretsalt' => 'of the tests',
  'auth.adminpassword' => 'of the tests', 'enable.saml20-idp' => true, 'session.cookie.secure' => false,
  'session.cookie.samesite' => null, 'logging.handler' => 'file', 'session.phpsession.savepath' => '{at}/sessions',
  'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
]);
""")
        people = ", ".join(
            f"'{one}:secret' => ['uid' => ['{one}'], 'mail' => ['{one}@example.org'], "
            f"'givenName' => ['{one.title()}'], 'sn' => ['of the Tests']]" for one in PEOPLE
        )  # fmt: skip
        (at / "config" / "authsources.php").write_text(
            f"<?php $config = ['people' => ['exampleauth:UserPass', {people}]];\n"
        )
        (at / "metadata" / "saml20-idp-hosted.php").write_text(f"""<?php
$metadata['{self.entity}'] = [
  'host' => '__DEFAULT__', 'privatekey' => 'idp.key', 'certificate' => 'idp.pem', 'auth' => 'people',
  'saml20.sign.response' => true, 'saml20.sign.assertion' => true, 'sign.logout' => true,
  'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', 'NameIDFormat' => '{EMAIL}',
  'authproc' => [1 => ['class' => 'saml:AttributeNameID', 'attribute' => 'mail', 'Format' => '{EMAIL}']],
];
""")
        bare = "".join(self.own[1].splitlines()[1:-1])
        rows = "".join(
            f"$metadata['http://testserver/api/v2/{name}/metadata'] = ["
            f"'AssertionConsumerService' => 'http://testserver/api/v2/{name}/acs', "
            f"'SingleLogoutService' => 'http://testserver/api/v2/{name}/sls', 'certData' => '{bare}', "
            f"'assertion.encryption' => {str(hidden).lower()}, 'NameIDFormat' => '{EMAIL}', "
            "'validate.logout' => true];\n"
            for name, hidden in SERVICES.items()
        )
        (at / "metadata" / "saml20-sp-remote.php").write_text("<?php\n" + rows)
        (at / "router.php").write_text(f"""<?php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (!preg_match('#^(/[^?]*?\\.php)(/.*)?$#', $path, $found)) {{ return false; }}
$file = '{SHARED}/www' . $found[1];
if (!is_file($file)) {{ http_response_code(404); return true; }}
$_SERVER['SCRIPT_NAME'] = $found[1]; $_SERVER['PATH_INFO'] = $found[2] ?? ''; $_SERVER['SCRIPT_FILENAME'] = $file;
chdir(dirname($file));
require $file;
""")

    def command(self) -> list[str]:
        """Run in the foreground."""
        at = str(SHARED / "www")
        return [self.program("php"), "-S", f"127.0.0.1:{self.port}", "-t", at, str(self.folder / "router.php")]

    def _as_account(self) -> dict[str, Any]:
        settings = super()._as_account()
        more = {"SIMPLESAMLPHP_CONFIG_DIR": str(self.folder / "config")}
        return {**settings, "env": {**settings["env"], **more}}

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def entity(self) -> str:
        """Its name for itself."""
        return f"{self.address}/saml2/idp/metadata.php"

    def config(self, container: str = "") -> dict[str, Any]:
        """Answer the configuration of a service on it, with a key of ours."""
        return {
            "idp_entityId": self.entity, "idp_x509cert": self.certificate, "sp_x509cert": self.own[1],
            "sp_privateKey": self.own[0], "idp_singleSignOnService_url": f"{self.address}/saml2/idp/SSOService.php",
            "idp_singleLogoutService_url": f"{self.address}/saml2/idp/SingleLogoutService.php",
        }  # fmt: skip


@pytest.fixture(scope="session")
def saml_provider() -> Iterator[Server]:
    """A SimpleSAMLphp of this test run's own."""
    with serving(SimpleSaml) as server:
        yield server


def form_of(page: str) -> tuple[str, dict[str, str]]:
    """Read the form of a page: where it goes, and what it holds."""
    action = re.search(r'<form[^>]*action="([^"]*)"', page)
    assert action, page[:500]
    fields = {}
    for one in re.findall(r"<input[^>]*>", page):
        name, value = (re.search(rf'{part}="([^"]*)"', one) for part in ("name", "value"))
        if name:
            fields[name[1]] = unescape(value[1]) if value else ""
    return unescape(action[1]), fields
