"""Real `observatory` processes that are cheap to start: forked from one that has imported the code.

A process imports for five seconds before it does anything; a hundred kills would be spent there.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.support.processes_preload"])


def observatory(arguments: list[str], env: dict[str, str], log: Path) -> BaseProcess:
    """`observatory ARGUMENTS` in a process of its own; its output goes to the log."""
    process = FORKS.Process(target=_command, args=(arguments, env, str(log)), daemon=True)
    process.start()
    return process


def _command(arguments: list[str], env: dict[str, str], log: str) -> None:
    _say_to(log)
    os.environ.update(env)
    tempfile.tempdir = None  # TMPDIR of `env`, not that of the process before the fork
    from flows.cli.app import app

    app(arguments)


def using(folder: Path) -> dict[int, str]:
    """Other processes with a file below a folder open, or in it, or with its name in a command."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            links = [*(process / "fd").iterdir(), process / "cwd"]
            paths = [str(link.readlink()) for link in links if link.is_symlink()]
            is_using = any(path.startswith(f"{folder}/") for path in paths)
            if int(process.name) != os.getpid() and (is_using or str(folder) in command):
                found[int(process.name)] = command
    return found


def publish_at_once(
    folders: list[Path], url: str, env: dict[str, str], logs: list[Path]
) -> list[int | None]:
    """One process for each staged release; all hold the same pointer before any goes on.

    Returns their exit codes.
    """
    barrier = FORKS.Barrier(len(folders))  # needed until this call returns
    started = []
    for folder, log in zip(folders, logs, strict=True):
        work = (str(folder), url, env, str(log), barrier)
        process = FORKS.Process(target=_publish, args=work, daemon=True)
        process.start()
        started.append(process)
    for process in started:
        process.join(240)
    return [process.exitcode for process in started]


def _publish(folder: str, url: str, env: dict[str, str], log: str, barrier: Barrier) -> None:
    _say_to(log)
    os.environ.update(env)
    from flows.cli.exit_codes import exit_code
    from warehouse.publishing.channels import latest_manifest, set_pointer
    from warehouse.publishing.pointer import read_for_update
    from warehouse.publishing.upload import upload
    from warehouse.releases.manifest import parse_manifest
    from warehouse.storage.open import open_storage

    storage, staged = open_storage(url), Path(folder)
    manifest = parse_manifest((staged / "manifest.json").read_bytes(), folder)
    try:
        expected = read_for_update(storage, "latest")
        barrier.wait(120)
        upload(staged, manifest, storage, before=latest_manifest(storage, expected))
        set_pointer(storage, manifest.release_id, expected=expected, moved_by=folder)
    except Exception as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(exit_code(error) or 1)


def _say_to(log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


def until(true: Callable[[], bool], process: BaseProcess, step: float = 0.005) -> bool:
    """Whether a condition became true while the process was alive."""
    while process.is_alive():
        if true():
            return True
        time.sleep(step)
    return true()
