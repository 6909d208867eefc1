"""Certificates and keys that a node refuses to start on: each is told with its files."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from orchestrator.certificates import authorities, checked_identity
from orchestrator.config import load_config
from orchestrator.config_api import TlsSettings
from orchestrator.errors import CertificateUnusable, ConfigurationInvalid
from tests.orchestrator.authorities import Authority

NODE = "127.0.0.1:8101"


def load(folder: Path, api: dict[str, Any], *, url: str = f"https://{NODE}", **variables: str) -> Any:
    tree = {
        "node": {"id": "n1", "data_dir": "data"},
        "cluster": {"members": [{"id": "n1", "raft": "127.0.0.1:4321", "api": url}]},
        "api": api,
    }
    path = folder / "n1.yaml"
    path.write_text(yaml.safe_dump(tree))
    return load_config(path, {}, environment=variables)


def refusal(folder: Path, api: dict[str, Any], **more: Any) -> str:
    with pytest.raises(ConfigurationInvalid) as caught:
        load(folder, api, **more)
    return str(caught.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    authority = Authority(folder)
    authority.sign("good")
    authority.sign("other")
    authority.sign("expired", days=(-5, -1))
    authority.sign("early", days=(1, 5))
    return authority


def tls(name: str, key: str | None = None, **more: Any) -> dict[str, Any]:
    return {"tls": {"cert_file": f"{name}.crt", "key_file": f"{key or name}.key", **more}}


def test_paths_are_relative_to_the_file(folder: Path, authority: Authority) -> None:
    config = load(folder, {**tls("good"), "ca_file": authority.file.name})
    assert config.api.tls.cert_file == folder / "good.crt"
    assert config.api.ca_file == authority.file
    identity = checked_identity(config.api.tls, config.api.tls.cert_file.stat().st_mtime)
    assert identity.covers("127.0.0.1")
    assert identity.covers("LOCALHOST")
    assert not identity.covers("10.0.0.1")


def test_variables_reach_the_inner_settings(folder: Path, authority: Authority) -> None:
    variables = {
        "TRIARCH_API__TLS__CERT_FILE": str(folder / "good.crt"),
        "TRIARCH_API__TLS__KEY_FILE": str(folder / "good.key"),
    }
    assert load(folder, {}, **variables).api.tls == TlsSettings(
        cert_file=folder / "good.crt", key_file=folder / "good.key"
    )
    whole = {"TRIARCH_API__TLS": f"{{cert_file: {folder}/good.crt, key_file: {folder}/good.key}}"}
    assert load(folder, {}, **whole).api.tls.cert_file == folder / "good.crt"


def test_a_key_of_another_certificate_names_both_files(folder: Path, authority: Authority) -> None:
    text = refusal(folder, tls("good", "other"))
    assert "api.tls.key_file" in text
    assert "other.key does not belong to the certificate in" in text
    assert "good.crt" in text


@pytest.mark.parametrize(("name", "said"), [("expired", "expired at"), ("early", "is valid from")])
def test_dates_count(folder: Path, authority: Authority, name: str, said: str) -> None:
    assert said in refusal(folder, tls(name))


def test_a_key_that_others_may_read_is_refused(folder: Path, authority: Authority) -> None:
    key = folder / "readable.key"
    key.write_bytes((folder / "good.key").read_bytes())
    key.chmod(0o640)
    assert "readable.key is open to group or others (mode 0640) (chmod 600 readable.key)" in refusal(
        folder, tls("good", "readable")
    )


def test_files_that_hold_something_else(folder: Path, authority: Authority) -> None:
    (folder / "empty.crt").touch()
    (folder / "text.crt").write_text("not a certificate")
    (folder / "folder.crt").mkdir(exist_ok=True)
    (folder / "exchanged.crt").write_bytes((folder / "good.key").read_bytes())
    for name, said in (
        ("empty", "is empty or too large"),
        ("text", "holds no certificate in PEM"),
        ("exchanged", "holds a key, no certificate (are the two files exchanged?)"),
        ("missing", "cannot be read: No such file"),
        ("folder", "folder.crt"),
    ):
        text = refusal(folder, tls(name, "good"))
        assert said in text
        assert "BEGIN" not in text
    assert "good.crt holds the certificate of CN=good, which is no authority" in refusal(
        folder, tls("good", client_ca_file="good.crt")
    )
    assert "ca_file" in refusal(folder, {"ca_file": "missing.pem"}, url=f"http://{NODE}")


SAN = b"\x06\x03\x55\x1d\x11"
"""The object identifier of `subjectAltName` in DER."""


def ill_made(authority: Authority, name: str, before: bytes, after: bytes) -> Path:
    """A certificate with some bytes exchanged: the signature is not looked at before somebody trusts it."""
    pair = authority.sign(name)
    whole = x509.load_pem_x509_certificate(pair.cert.read_bytes()).public_bytes(Encoding.DER)
    assert whole.count(before) == 1
    lines = base64.encodebytes(whole.replace(before, after)).decode()
    pair.cert.write_text(f"-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
    return pair.cert


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("twice", b"\x06\x03\x55\x1d\x25", SAN),  # an extension that stands there twice
        ("version", b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07"),
    ],
)
def test_certificates_that_were_not_made_by_the_rules(
    folder: Path, authority: Authority, name: str, before: bytes, after: bytes
) -> None:
    """The parser finds some of it only when a part is looked at, by exceptions of many kinds."""
    file = ill_made(authority, name, before, after)
    assert f"{name}.crt holds a certificate that cannot be read: " in refusal(folder, tls(name))
    with pytest.raises(CertificateUnusable, match=r"cannot be read: .*"):
        authorities(file, "ca_file", file.stat().st_mtime)


def test_what_contradicts_itself(folder: Path, authority: Authority) -> None:
    assert "begins with http://, and api.tls gives this node a certificate" in refusal(
        folder, tls("good"), url=f"http://{NODE}"
    )
    assert "has no certificate to answer with" in refusal(folder, {})
    assert load(folder, {"bind": "127.0.0.1:9000"}).api.tls is None  # behind a proxy that has one
    assert "says nothing without api.tls.client_ca_file" in refusal(
        folder, tls("good", require_client_certificate=True)
    )
    assert "did you mean cert_file?" in refusal(folder, {"tls": {"cert_fil": "a", "key_file": "good.key"}})
