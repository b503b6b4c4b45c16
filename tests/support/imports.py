"""The import graph of the product, read from the syntax of its modules.

`python -m tests.support.imports` prints it per folder, as Mermaid: rooms and arrows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("flows", "expectations", "transforms", "warehouse")
Graph = dict[str, set[str]]  # path below the repository -> paths that it imports


@cache
def modules() -> dict[str, str]:
    """Dotted name of every module of the product, and its path below the repository."""
    found = [p.relative_to(ROOT) for package in PACKAGES for p in (ROOT / package).rglob("*.py")]
    return {_dotted(path): path.as_posix() for path in sorted(found)}


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports() -> Graph:
    """Which module imports which, anywhere in its text; packages' `__init__` among them."""
    known = modules()
    return {
        path: {known[name] for name in _imported(path) if name in known} - {path}
        for path in known.values()
    }


def _imported(path: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from submodules
            if not all(name in modules() for name in submodules):
                yield str(node.module)  # a name of the module itself


def folders() -> list[str]:
    """Every folder that holds modules, the repository itself as `.`."""
    found = {p.as_posix() for path in modules().values() for p in PurePosixPath(path).parents}
    return sorted(found)


def rooms(folder: str) -> Graph:
    """The imports between the entries of one folder, each entry with all that it holds."""
    graph: Graph = {}
    for path, targets in imports().items():
        if source := _entry(folder, path):
            ends = {_entry(folder, target) for target in targets} - {None, source}
            graph.setdefault(source, set()).update(end for end in ends if end)
    return graph


def _entry(folder: str, path: str) -> str | None:
    base, whole = PurePosixPath(folder), PurePosixPath(path)
    if not whole.is_relative_to(base) or (whole.parent == base and whole.name == "__init__.py"):
        return None
    return (base / whole.relative_to(base).parts[0]).as_posix()


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """One circle of a graph, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def mermaid(folder: str) -> str:
    """A folder's rooms and arrows as a Mermaid flow chart."""
    graph = rooms(folder)
    name = {room: PurePosixPath(room).name for room in graph}
    lines = [f"    {name[room]}" for room in sorted(graph)]
    lines += [f"    {name[a]} --> {name[b]}" for a in sorted(graph) for b in sorted(graph[a])]
    return "\n".join([f"%% {folder}", "flowchart TD", *lines])


if __name__ == "__main__":
    for each in (".", *PACKAGES):
        arrows = sum(map(len, rooms(each).values()))
        print(mermaid(each), f"\n%% {len(rooms(each))} rooms, {arrows} arrows\n")
