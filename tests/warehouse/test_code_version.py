"""Digests of code: they follow imports, and change with what is imported only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from flows.steps import past_shares
from warehouse import code_version
from warehouse.code_version import ROOT, imported_files
from warehouse.hub_history.ledger import CARRIERS, CONTRACTS, MODULES

PROJECT = {
    "app/entry.py": "from app.parts import first\nimport app.parts.third as third\n",
    "app/parts/__init__.py": "",
    "app/parts/first.py": "def run():\n    from app.parts.second import VALUE\n",
    "app/parts/second.py": "import os\nVALUE = 1\n",
    "app/parts/third.py": "from app.entry import first\n",
    "app/unrelated.py": "from app.parts import first\n",
    "app/data.yml": "a: 1\n",
    "app/other.yml": "b: 1\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(code_version, "ROOT", tmp_path)
    write(tmp_path, PROJECT)
    return tmp_path


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def digest(*, without: tuple[str, ...] = ()) -> str:
    code_version.digest_of.cache_clear()
    return code_version.digest_of("app.entry", data=("app/data.yml",), without=without)


@pytest.fixture(autouse=True)
def no_cached_digest_is_left() -> None:
    code_version.digest_of.cache_clear()


IMPORTED = ["app/entry.py", "app/parts/first.py", "app/parts/second.py", "app/parts/third.py"]


@pytest.mark.parametrize("name", [*IMPORTED, "app/parts/__init__.py", "app/data.yml"])
def test_digest_changes_with_an_imported_module_or_data_file(project: Path, name: str) -> None:
    before = digest()
    write(project, {name: PROJECT[name] + "# changed\n"})
    assert digest() != before


@pytest.mark.parametrize("name", ["app/unrelated.py", "app/other.yml"])
def test_digest_does_not_change_with_an_unrelated_file(project: Path, name: str) -> None:
    before = digest()
    write(project, {name: PROJECT[name] + "# changed\n"})
    assert digest() == before


def test_digest_changes_with_a_new_import(project: Path) -> None:
    before = digest()
    write(project, {"app/parts/third.py": "import app.unrelated\n"})
    assert digest() != before


def test_excluded_packages_are_not_followed(project: Path) -> None:
    before = digest(without=("app.parts",))
    write(project, {"app/parts/second.py": "VALUE = 2\n"})
    assert digest(without=("app.parts",)) == before


def test_unknown_module_is_an_error(project: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no module app\.typo in "):
        code_version.imported_files(["app.typo"])


def test_history_depends_on_what_decides_its_content_and_on_little_else() -> None:
    found = {p.relative_to(ROOT).as_posix() for p in imported_files(MODULES, CARRIERS)}
    assert found >= {
        "flows/sources/hub/parse_listing.py",
        "flows/sources/quarantine.py",
        "warehouse/contracts/formats.py",
        "warehouse/contracts/table.py",
        "warehouse/hub_history/update.py",
        "warehouse/hub_history/files.py",
    }
    assert len(found) <= 14, sorted(found)
    assert not [name for name in found if name.startswith(("transforms/", "expectations/"))]
    assert all((ROOT / name).is_file() for name in CONTRACTS)


def test_past_shares_depend_on_their_transforms_and_on_no_other() -> None:
    modules = [past_shares.__name__, *(f"transforms.{s.table}" for s in past_shares.steps())]
    found = {p.relative_to(ROOT).as_posix() for p in imported_files(modules, CARRIERS)}
    assert found >= {
        "transforms/mart/lab_share_daily.py",
        "transforms/mart/country_share_daily.py",
        "warehouse/hub_history/past.py",
    }
    assert not [name for name in found if "arena" in name or name.startswith("expectations/")]
