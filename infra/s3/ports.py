"""The ports and sockets of a server on loopback."""

from __future__ import annotations

import secrets
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

SERVICES = ("s3", "master", "volume", "filer", "admin")  # on base, base + 1, ...
GRPC = 10_000  # every service has a second port this far above its first
PORTS = range(20_000, 31_000, 10)  # with GRPC still below most systems' ephemeral ports


class S3ServerError(RuntimeError):
    """The server could not be started or does not respond."""


def free_ports(tries: int = 200) -> int:
    """The first of a block of unused ports. Raises S3ServerError."""
    for _ in range(tries):
        base = secrets.choice(PORTS)
        if are_free(base):
            return base
    raise S3ServerError(f"no free block of ports between {PORTS[0]} and {PORTS[-1]}; stop a server")


def are_free(base: int) -> bool:
    """Whether every port of a server with this base can be bound on loopback."""
    return all(_can_bind(base + i + far) for i in range(len(SERVICES)) for far in (0, GRPC))


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def socket_path(base: int, name: str) -> Path:
    """A socket in the temporary folder: its path must be short."""
    return Path(tempfile.gettempdir()) / f"s3dev-{base}-{name}.sock"


def remove_sockets(base: int) -> None:
    """Removes the sockets, which a killed server leaves behind."""
    numbers = [base + i + far for i in range(len(SERVICES)) for far in (0, GRPC)]
    for folder in {Path(tempfile.gettempdir()), Path("/tmp")}:  # noqa: S108 - weed's own choice
        leftovers = [p for n in numbers for p in folder.glob(f"seaweedfs-*-{n}.sock")]
        for path in (*leftovers, *folder.glob(f"s3dev-{base}-*.sock")):
            with suppress(OSError):
                path.unlink()
