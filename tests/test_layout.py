"""The layout of the product: one direction of imports, no circle, small modules and functions."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest

from tests.support.imports import PACKAGES, ROOT, circle, folders, imports, rooms
from transforms.plan import plan

LONGEST_MODULE, LONGEST_FUNCTION, MOST_PARAMETERS = 300, 40, 12  # lines, lines, tables
LONGEST_TEST_FILE = 600  # lines
# From top to bottom: a package imports those below it and none above.
FLOORS = (("flows",), ("expectations", "transforms"), ("warehouse",))
MAY_IMPORT = {  # of the project's own packages
    "flows": {"flows", "expectations", "transforms", "warehouse"},
    "expectations": {"expectations", "warehouse"},
    "transforms": {"transforms", "warehouse.contracts.table", "warehouse.contracts.evidence"},
    "warehouse": {"warehouse"},
}
# What a transform may know of the world: Polars and the pure parts of the standard library.
PURE = """__future__ collections dataclasses datetime enum functools graphlib hashlib importlib
    inspect itertools math operator pkgutil polars re typing"""
OUTSIDE = {  # who may speak to what
    "prefect": {"flows/pipeline.py", "flows/prefect_artifacts.py", "flows/cli/prefect_server.py"},
    "great_expectations": {"expectations"},
    "httpx2": {"flows/sources", "flows/steps/publish_to_huggingface.py"},
    "huggingface_hub": {"flows/sources", "flows/steps/publish_to_huggingface.py"},
    "boto3": {"warehouse/storage/s3"},
    "requests": set(),
    "httpx": set(),
}


@cache
def imported(source: str, where: str = "") -> set[str]:
    """Every module that a file imports, anywhere in it, as `package.module`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{where}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in (
            "import_module",
            "__import__",
        ):
            found |= {t.value for t in ast.walk(node) if isinstance(t, ast.Constant)}
    return {f.rstrip(".") for f in found}


def within(module: str, allowed: set[str]) -> bool:
    return any(module == a or module.startswith(a + ".") for a in allowed)


@cache
def python_files(package: str) -> dict[str, str]:
    return {
        p.relative_to(ROOT).as_posix(): p.read_text("utf-8")
        for p in sorted((ROOT / package).rglob("*.py"))
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_in_one_direction(package: str) -> None:
    for where, source in python_files(package).items():
        for module in imported(source, where):
            assert not within(module, {"tests", "infra"}), f"{where} imports {module}"
            if module.split(".")[0] in PACKAGES:
                assert within(module, MAY_IMPORT[package]), f"{where} imports {module}"


def test_transforms_import_polars_and_no_io() -> None:
    for where, source in python_files("transforms").items():
        foreign = {m.split(".")[0] for m in imported(source, where)} - {*PURE.split()}
        assert foreign <= {"transforms", "warehouse"}, f"{where} imports {foreign}"
        called = {
            ast.unparse(n.func) for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)
        }
        impure = re.compile(
            r"open|print|input|exec|eval|.*\.(now|utcnow|today)|pl\.(read|scan)_.*|.*\.(write|sink)_.*"
        )
        assert not [c for c in called if impure.fullmatch(c)], where


@pytest.mark.parametrize("library", sorted(OUTSIDE))
def test_clients_are_imported_in_few_places(library: str) -> None:
    users = {
        where
        for package in PACKAGES
        for where, source in python_files(package).items()
        if any(within(m, {library}) for m in imported(source, where))
    }
    assert not [u for u in users if not any(u.startswith(a) for a in OUTSIDE[library])]


def test_importing_transforms_loads_no_database_flow_or_client() -> None:
    """What the text of the files says, as it comes out: also through what they import."""
    code = (
        "import sys; from transforms.plan import plan; plan();"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    loaded = set(done.stdout.split())
    assert "polars" in loaded
    banned = "duckdb prefect great_expectations httpx httpx2 requests boto3 huggingface_hub"
    assert loaded & {*banned.split(), "flows", "expectations"} == set()


@pytest.mark.parametrize(
    "line",
    [
        "import duckdb",
        "from duckdb import sql",
        "import duckdb.typing as t",
        "def f():\n    from duckdb import sql",
        "import importlib\nimportlib.import_module('duckdb')",
        "if True:\n    __import__('duckdb')",
    ],
)
def test_every_form_of_import_is_found(line: str) -> None:
    assert any(within(m, {"duckdb"}) for m in imported(line))


# --- the graph as a whole -------------------------------------------------------------------------


def test_no_import_points_upwards() -> None:
    floor = {package: number for number, packages in enumerate(FLOORS) for package in packages}
    assert set(floor) == set(PACKAGES)
    for package, targets in rooms(".").items():
        assert not [t for t in targets if floor[t] <= floor[package]], package


def test_modules_do_not_import_in_a_circle() -> None:
    assert not circle(imports())


@pytest.mark.parametrize("folder", folders())
def test_entries_of_a_folder_do_not_import_in_a_circle(folder: str) -> None:
    assert not circle(rooms(folder))


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})


# --- size -----------------------------------------------------------------------------------------


def product_files() -> dict[str, str]:
    return {w: s for package in (*PACKAGES, "infra") for w, s in python_files(package).items()}


def functions(source: str) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))


def lines(node: ast.FunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def test_no_module_is_long() -> None:
    long = {
        where: n for where, s in product_files().items() if (n := s.count("\n")) > LONGEST_MODULE
    }
    assert not long


def test_no_test_file_is_long() -> None:
    files = python_files("tests").items()
    assert not {where: n for where, s in files if (n := s.count("\n")) > LONGEST_TEST_FILE}


def test_no_function_is_long() -> None:
    assert not {
        f"{where}:{node.name}": lines(node)
        for where, source in product_files().items()
        for node in functions(source)
        if lines(node) > LONGEST_FUNCTION
    }


def test_functions_are_short() -> None:
    """Half of them have at most a dozen lines."""
    found = sorted(lines(f) for source in product_files().values() for f in functions(source))
    assert found[len(found) // 2] <= 12


def test_no_transform_reads_more_than_a_dozen_tables() -> None:
    assert not {s.table: len(s.inputs) for s in plan() if len(s.inputs) > MOST_PARAMETERS}
