"""Folders of any name: used as they are, or refused with exit code 2 before work begins."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from prefect.assets import Asset
from pydantic import ValidationError

from flows.cli.options import settings_from
from flows.prefect_artifacts import asset_place
from flows.settings import Settings
from tests.support.command_line import call, run_module
from tests.support.odd_paths import ODD_NAMES, REFUSED_NAMES

FOLDERS = ("archive", "warehouse", "history", "docs", "publish_to")


@pytest.mark.parametrize("setting", FOLDERS)
def test_odd_names_are_accepted(tmp_path: Path, setting: str) -> None:
    names = [n for n in ODD_NAMES if setting != "warehouse" or "$" not in n]
    for name in names:
        given = str(tmp_path / name / "x")
        kept = getattr(
            Settings(**{setting: [given] if setting == "publish_to" else given}), setting
        )
        assert kept == ((given,) if setting == "publish_to" else Path(given))


@pytest.mark.parametrize("setting", FOLDERS)
@pytest.mark.parametrize("name", REFUSED_NAMES, ids=lambda name: ascii(name[:9]))
def test_unusable_names_are_refused(tmp_path: Path, setting: str, name: str) -> None:
    if name == "what?" and setting in ("docs", "publish_to"):
        return  # DuckDB opens nothing there
    given = str(tmp_path / name)
    with pytest.raises(ValidationError):
        Settings(**{setting: [given] if setting == "publish_to" else given})


def test_an_unusable_name_ends_a_command_with_one_line_per_setting(tmp_path: Path) -> None:
    work = tmp_path / "w"
    for name in ("a$b", "$HOME", *REFUSED_NAMES[:7]):
        done = call("replay", "--warehouse", work / name / "o.duckdb", "--publish-to", work / "p")
        assert done.exit_code == 2, done.output
        assert "error: warehouse: cannot use '" in done.stderr
        assert all(line.startswith("error: ") for line in done.stderr.splitlines())
        assert done.stderr.isascii() and "\x1b" not in done.stderr
    assert not work.exists()


def test_the_temporary_folder_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("what?", "a$b", "new\nline", "caf\udce9"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
        with pytest.raises(ValidationError, match="TMPDIR: cannot use"):
            Settings()


def test_a_file_address_names_a_whole_path(tmp_path: Path) -> None:
    for name in ("a?b", "a#b"):
        with pytest.raises(ValidationError, match=r"has a '\?' or '#'"):
            Settings(publish_to=[f"file://{tmp_path}/{name}"])
    assert Settings(publish_to=[(tmp_path / "a#b").as_uri()]).publish_to


def test_the_current_folder_is_checked(tmp_path: Path) -> None:
    (tmp_path / "what?").mkdir()
    done = run_module(tmp_path / "what?", "replay")
    assert done.returncode == 2
    assert "warehouse: cannot use" in done.stderr and "Traceback" not in done.stderr
    assert [*(tmp_path / "what?").iterdir()] == []


def test_every_place_has_an_asset_of_its_own(tmp_path: Path) -> None:
    """Prefect refuses spaces, `%`, `[`, … in a key, and more than 512 characters."""
    names = [*ODD_NAMES, *REFUSED_NAMES[:3], "x/" * 300, "x/" * 300 + "y", "a-1-", "d-j-"]
    urls = [str(tmp_path / name) for name in names]
    urls += ["s3://bucket/a b", "s3://bucket/a%20b", "s3://bucket/a+b", "file:///a%20b"]
    keys = [f"{asset_place(url)}/latest/registry.arena_scale_breaks.parquet" for url in urls]
    assert [Asset(key=key).key for key in keys] == keys
    assert len(set(keys)) == len(keys)
    assert asset_place(str(tmp_path / "plain")) == (tmp_path / "plain").as_uri()
    assert asset_place("s3://bucket/plain") == "s3://bucket/plain"


def test_folders_beside_a_given_warehouse_are_used_unless_they_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("docs", "history", "backfills")
    beside = settings_from(warehouse=tmp_path / "o.duckdb")
    assert {getattr(beside, name).parent for name in names} == {tmp_path}
    for name in names:
        monkeypatch.setenv(f"OBSERVATORY_{name.upper()}", str(tmp_path / "own" / name))
        chosen = settings_from(warehouse=tmp_path / "o.duckdb")
        assert getattr(chosen, name) == tmp_path / "own" / name
    monkeypatch.setenv("OBSERVATORY_HISTORY", str(tmp_path / "h?"))
    with pytest.raises(ValidationError):
        settings_from(warehouse=tmp_path / "o.duckdb")
