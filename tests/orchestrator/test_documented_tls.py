"""The private authority of docs/tls.md: its commands are run, and what they make is shown to a strict client."""

import os
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from orchestrator.certificates import served
from orchestrator.config_api import TlsSettings
from tests.command_line import REPO


def commands() -> str:
    """The block of the page that begins with `openssl`."""
    blocks = (REPO / "docs" / "tls.md").read_text(encoding="utf-8").split("```sh\n")
    (shown,) = (block.partition("```")[0] for block in blocks if block.startswith("openssl"))
    return shown


def shaken(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> str:
    """The subject that the client sees after a handshake in memory. Raises ssl.SSLError where it refuses."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=host)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        done = 0
        for side in (ours, theirs):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                pass
        if done == 2:
            break
    certificate = ours.getpeercert(binary_form=True)
    assert certificate is not None
    return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()


@pytest.mark.skipif(shutil.which("openssl") is None and os.environ.get("CI") != "true", reason="openssl is not here")
def test_what_the_documented_commands_make_is_trusted_by_a_strict_client(tmp_path: Path) -> None:
    made = subprocess.run(["sh", "-ec", commands()], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    settings = TlsSettings(cert_file=tmp_path / "n1.crt", key_file=tmp_path / "n1.key")
    server, identity = served(settings, (tmp_path / "n1.crt").stat().st_mtime)
    assert identity.covers("n1.plant")
    assert identity.covers("10.0.0.1")
    client = ssl.create_default_context(cafile=str(tmp_path / "plant-ca.crt"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    assert shaken(client, server, "n1.plant") == "CN=n1"
    with pytest.raises(ssl.SSLCertVerificationError, match=r"n2\.plant"):
        shaken(client, server, "n2.plant")
