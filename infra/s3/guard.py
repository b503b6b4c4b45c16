"""Keys that guard the inner services of SeaweedFS against other users of this machine.

Master, volume server and filer trust whoever reaches their ports. So their HTTP requests need a
token, and their gRPC connections a certificate, and both are readable by the owner alone.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVICES = ("master", "volume", "filer", "s3", "client", "admin", "worker", "msg_broker")
TOKENS = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
LOOPBACK = ipaddress.IPv4Address("127.0.0.1")
LIFETIME = dt.timedelta(days=3650)


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner may read, whatever the umask and an older file."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)


def write_guard(folder: Path) -> None:
    """Writes new tokens and a new certificate; weed reads `security.toml` in its folder."""
    certificate, key = "weed.crt", "weed.key"
    write_certificate(folder / certificate, folder / key)
    lines = ["[grpc]", f'ca = "{certificate}"']
    for name in SERVICES:
        lines += [f"[grpc.{name}]", f'cert = "{certificate}"', f'key = "{key}"']
    for name in TOKENS:
        lines += [f"[{name}]", f'key = "{secrets.token_hex(32)}"']
    write_private(folder / "security.toml", "\n".join(lines).encode())


def write_certificate(certificate: Path, private_key: Path) -> None:
    """Writes a certificate that signs itself, for both ends of connections on loopback."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weed")])
    now = dt.datetime.now(dt.UTC)
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(LOOPBACK)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(certificate, signed.public_bytes(serialization.Encoding.PEM))
    write_private(private_key, private)
