"""Which code made a release, and digests of parts of the code that key a cache."""

from __future__ import annotations

import ast
import hashlib
import subprocess
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("flows", "transforms", "expectations", "warehouse")
KINDS = {".py", ".yml", ".csv", ".sql", ".html", ".xml", ".css", ".js", ".svg"}


@cache
def code_version() -> dict[str, str]:
    """`version` of the package, `digest` of every file that can change a number, git `commit`.

    The digest leaves out the bundled sample, which is input.
    """
    return {"version": _version(), "digest": _digest(_files()), "commit": _commit()}


@cache
def digest_of(*modules: str, data: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> str:
    """Digest of modules of this project, of all they import of it, and of data files.

    `data` are paths below the project's folder. Modules and packages in `without` are not followed:
    name those that cannot change the result.
    """
    return _digest([*imported_files(modules, without), *(ROOT / name for name in data)])


def imported_files(modules: Iterable[str], without: Collection[str] = ()) -> list[Path]:
    """The files of the modules and of all that they import of this project, sorted.

    Raises ModuleNotFoundError for a module that this project does not have.
    """
    found: set[Path] = set()
    waiting = []
    for name in modules:
        if (path := _path_of(name)) is None:
            raise ModuleNotFoundError(f"no module {name} in {ROOT}", name=name)
        waiting.append(path)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [
                imported
                for name in _imports(path)
                if not any(name == w or name.startswith(f"{w}.") for w in without)
                and (imported := _path_of(name)) is not None
            ]
    return sorted(found)


def _imports(path: Path) -> Iterator[str]:
    """Names that a file imports, wherever it does so: modules, and objects in them."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:  # the project has no relative ones
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _path_of(module: str) -> Path | None:
    """The file of a module of this project; None for other modules and for objects."""
    path = ROOT.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _digest(files: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in sorted(files):
        whole.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _files() -> Iterator[Path]:
    sample = ROOT / "warehouse" / "sample"
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.suffix in KINDS and not path.is_relative_to(sample):
                yield path


def _version() -> str:
    try:
        return version("origin-observatory")
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """The git commit of the checkout; `unknown` where there is none."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
