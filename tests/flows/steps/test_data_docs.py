"""The folder of the Data Docs: ours is replaced, everything else stays."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from flows.settings import Settings
from flows.steps import data_docs, sequence
from flows.steps.data_docs import LIST, TITLE, DataDocsError, files, replace
from tests.support.command_line import call, files_in
from warehouse.database.duckdb_file import WarehouseError
from warehouse.storage import files as storage_files

OLD = {
    "index.html": "old",
    "static/a.css": "a",
    "validations/raw/hub_models/raw/day/x.html": "x",
    "validations/raw/hub_namespaces/raw/day/gone.html": "gone",
}
NEW = {name: f"new {text}" for name, text in list(OLD.items())[:3]}


def written(folder: Path, content: dict[str, str]) -> Path:
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def texts(folder: Path) -> dict[str, str]:
    return {name: data.decode() for name, data in files_in(folder).items() if name != LIST}


@pytest.fixture(params=["folder", "link", "mount point", "empty disk"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder for Data Docs that does not exist, is a link, or cannot be renamed."""
    path = tmp_path / "validation"
    if request.param == "link":
        path.symlink_to(tmp_path / "elsewhere")
    if request.param in ("folder", "link"):
        yield path
        assert path.is_symlink() == (request.param == "link")
        return
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "observatory-test", str(path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this account may not mount")
    try:
        if request.param == "empty disk":
            (path / "lost+found").mkdir()
        yield path
        assert path.is_mount()
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_files_are_replaced_and_those_of_others_stay(folder: Path, tmp_path: Path) -> None:
    replace(written(tmp_path / "first", OLD), folder, "1")
    written(folder, {"notes.txt": "mine", "validations/raw/notes.txt": "mine too"})
    replace(written(tmp_path / "second", NEW), folder, "2")
    assert texts(folder) == NEW | {"notes.txt": "mine", "validations/raw/notes.txt": "mine too"}
    assert set(files(folder, "2")) == set(NEW)
    assert not (folder / "validations/raw/hub_namespaces").exists()


def test_data_docs_of_an_earlier_version_are_recognized(tmp_path: Path) -> None:
    folder = written(tmp_path / "validation", OLD | {"validations/raw/notes.txt": "mine"})
    (folder / "index.html").write_bytes(b"<html><title>" + TITLE)
    assert set(files(folder, "1")) == set(OLD)
    replace(written(tmp_path / "new", NEW), folder, "1")
    assert texts(folder) == NEW | {"validations/raw/notes.txt": "mine"}


FOREIGN = {
    "a web root": {"index.html": "mine", "blog/a.html": "post"},
    "data docs of another project": {
        "index.html": TITLE.decode(),
        "static/a.css": "a",
        "validations/their_suite/run/x.html": "x",
    },
    "a list that leads elsewhere": {LIST: '{"files": ["../other.txt"]}', "index.html": "x"},
    "a damaged list": {LIST: "{", "index.html": "x"},
    "a home": {".profile": "x"},
}


@pytest.mark.parametrize("which", ["validation", "validation.failed"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_folder_is_refused_before_anything_is_built(
    tmp_path: Path, kind: str, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / which, FOREIGN[kind])
    (tmp_path / "other.txt").write_text("other")
    before = files_in(tmp_path)
    settings = Settings(warehouse=tmp_path / "o.duckdb", docs=tmp_path / "validation")
    monkeypatch.setattr(sequence, "require_snapshots", lambda *_: None)
    with pytest.raises(DataDocsError, match="set OBSERVATORY_DOCS to a new folder"):
        sequence.build(settings, date(2026, 8, 15))
    assert files_in(tmp_path) == before


def test_a_foreign_folder_ends_the_command_with_exit_code_2(tmp_path: Path) -> None:
    written(tmp_path / "www", FOREIGN["a web root"])
    env = {"OBSERVATORY_DOCS": str(tmp_path / "www"), "OBSERVATORY_PUBLISH_TO": str(tmp_path / "p")}
    env |= {"OBSERVATORY_WAREHOUSE": str(tmp_path / "o.duckdb")}
    sample = Path(data_docs.__file__).parents[2] / "warehouse" / "sample"
    done = call("replay", f"--archive={sample}", "--as-of=2026-08-15", **env)
    assert done.exit_code == 2, done.output
    assert len(done.stderr.strip().splitlines()) == 1
    assert texts(tmp_path / "www") == FOREIGN["a web root"]


def test_modes_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        replace(written(tmp_path / "new", NEW), tmp_path / "validation", "1")
    finally:
        os.umask(before)
    paths = [tmp_path / "validation", *(tmp_path / "validation").rglob("*")]
    assert {p.stat().st_mode & 0o777 for p in paths} == {0o755, 0o644}


def test_an_interrupted_replacement_is_not_published_and_the_next_one_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "validation"
    replace(written(tmp_path / "first", OLD), folder, "1")
    real = storage_files.write_atomically

    def dying(path: Path, data: bytes, *, durable: bool = True) -> None:
        if path.name == "index.html":
            raise KeyboardInterrupt
        real(path, data, durable=durable)

    with monkeypatch.context() as patch:
        patch.setattr(data_docs, "write_atomically", dying)
        with pytest.raises(KeyboardInterrupt):
            replace(written(tmp_path / "second", NEW), folder, "2")
    for results in ("1", "2"):
        with pytest.raises(WarehouseError, match="of another build than the warehouse"):
            files(folder, results)
    replace(tmp_path / "second", folder, "2")
    assert texts(folder) == NEW
