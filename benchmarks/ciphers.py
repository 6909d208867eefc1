"""What it costs to encrypt and authenticate what members say to each other: the candidates of docs/adr/0009.

    .venv/bin/python benchmarks/ciphers.py

Prints microseconds for one record there and back (seal and open), the median of several rounds; the candidates take
turns within a round, so that a busy machine slows all of them alike. Sizes: a heartbeat, one commit, a batch of 1,000.
"""

import datetime as dt
import os
import ssl
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.x509.oid import NameOID

SIZES = (40, 200, 200_000)
ROUNDS = 15

Candidate = Callable[[bytes], bytes]


def fernet() -> Candidate:
    """As pysyncobj does it: compressed, then Fernet (AES-CBC, HMAC, base64)."""
    box = Fernet(Fernet.generate_key())
    return lambda data: zlib.decompress(box.decrypt(box.encrypt(zlib.compress(data, 3))))


def aead(cipher: AESGCM | ChaCha20Poly1305) -> Candidate:
    """With a nonce that is never used again with its key; here the cost is the same if it is."""
    nonce = bytes(12)
    return lambda data: cipher.decrypt(nonce, cipher.encrypt(nonce, data, b"4242"), b"4242")


def tls() -> Candidate:
    """TLS 1.3 of the standard library over memory, with a throw-away certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "n1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "node.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(file)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(back, there)
    server = server_context.wrap_bio(there, back, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue

    def roundtrip(data: bytes) -> bytes:
        client.write(data)
        got = bytearray()
        while len(got) < len(data):
            got += server.read(1 << 18)
        return bytes(got)

    return roundtrip


def measure() -> dict[str, list[float]]:
    """Candidate → microseconds by size."""
    candidates: dict[str, Candidate] = {
        "zlib + Fernet (pysyncobj)": fernet(),
        "TLS 1.3 (ssl.MemoryBIO)": tls(),
        "ChaCha20-Poly1305": aead(ChaCha20Poly1305(os.urandom(32))),
        "AES-256-GCM": aead(AESGCM(os.urandom(32))),
    }
    figures: dict[str, list[float]] = {name: [] for name in candidates}
    for size in SIZES:
        data = os.urandom(size // 2) + bytes(size - size // 2)  # ids are random, the rest repeats itself
        rounds: dict[str, list[float]] = {name: [] for name in candidates}
        times = max(3, 60_000 // size)
        for _ in range(ROUNDS):
            for name, candidate in candidates.items():
                began = time.perf_counter()
                for _ in range(times):
                    assert candidate(data) == data  # noqa: S101
                rounds[name].append((time.perf_counter() - began) / times * 1e6)
        for name in candidates:
            figures[name].append(statistics.median(rounds[name]))
    return figures


def main() -> None:
    """Print the table."""
    out = sys.stdout.write
    out(f"{'':28}" + "".join(f"{size:>12,} B" for size in SIZES) + "\n")
    for name, row in measure().items():
        out(f"{name:28}" + "".join(f"{value:11.1f} µs" for value in row) + "\n")


if __name__ == "__main__":
    main()
