"""AI Index editions: by address, from local files, damaged, and missing."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from flows.settings import Settings
from flows.sources.formats.zips import DamagedZipError, open_zip
from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import StandIn
from tests.support.sources import (
    NEXT_DAY,
    loaded,
    refused,
)


@pytest.fixture
def editions(recordings: Path, tmp_path: Path) -> Path:
    """Some figures of both editions, one of them in Mac Roman."""
    figures = {
        "2025": ["fig_1.3.1.csv", "fig_1.3.2.csv", "fig_2.1.36.csv"],
        "2026": ["fig_1.1.1.csv", "fig_4.3.1.csv", "fig_6.4,2.csv"],
    }
    for edition, names in figures.items():
        for name in names:
            (found,) = (recordings / "ai_index" / edition).rglob(name)
            target = tmp_path / "recordings" / found.relative_to(recordings)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, target)
    return tmp_path / "recordings"


def index_rows(settings: Settings) -> list[tuple[Any, ...]]:
    con = loaded(settings, "ai_index")
    assert refused(con) == []
    return con.execute("FROM raw.ai_index_rows ORDER BY ALL").fetchall()


def zipped(edition: Path, target: Path, **how: Any) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, **how) as bundle:
        for path in sorted(edition.rglob("*.csv"), reverse=True):
            bundle.write(path, f"My download/{path.relative_to(edition)}")
        bundle.writestr("__MACOSX/1. X/Data/._fig_1.3.1.csv", b"\0\1 resource fork")
        bundle.writestr("My download/1. X/Data/notes.txt", b"no figure")


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_local_editions_give_the_same_rows_as_downloads(
    editions: Path, tmp_path: Path, form: str
) -> None:
    with StandIn(editions) as server:
        by_url = settings_for(server, tmp_path / "url")
        observe("ai_index", by_url, DAY)
        assert len(server.requests) == 2
        server.requests.clear()
        laid = tmp_path / "laid"
        laid.mkdir()
        for edition in (editions / "ai_index").iterdir():
            if form == "folder":
                shutil.copytree(edition, laid / f"PUBLIC DATA_ {edition.name} AI INDEX REPORT")
            else:
                zipped(edition, laid / f"{edition.name}.zip")
        by_hand = settings_for(server, tmp_path / "hand", ai_index_files=laid)
        observe("ai_index", by_hand, DAY)
        assert server.requests == []
    rows = index_rows(by_hand)
    assert rows == index_rows(by_url)
    assert len({row[4] for row in rows}) == 6


def test_local_and_downloaded_editions_can_be_mixed(editions: Path, tmp_path: Path) -> None:
    laid = tmp_path / "laid"
    shutil.copytree(editions / "ai_index/2025", laid / "2025")
    with StandIn(editions) as server:
        settings = settings_for(server, tmp_path, ai_index_files=laid)
        observe("ai_index", settings, DAY)
        assert [r.path for r in server.requests] == ["/ai_index/2026.zip"]
    assert {row[2] for row in index_rows(settings)} == {2025, 2026}


def test_unlisted_editions_are_stored_without_an_error(editions: Path, tmp_path: Path) -> None:
    """As next year's will come: figures and headers move, so nothing is taken on trust."""
    laid = tmp_path / "laid"
    shutil.copytree(editions / "ai_index", laid)
    shutil.copytree(laid / "2025", laid / "PUBLIC DATA_ 2027 AI INDEX REPORT")
    for table in (laid / "PUBLIC DATA_ 2027 AI INDEX REPORT").rglob("*.csv"):
        table.write_bytes(b"Other," + table.read_bytes())
    shutil.copytree(laid / "2026", laid / "2028 draft")  # one of its files is not UTF-8
    with StandIn(editions) as server:
        settings = settings_for(server, tmp_path, ai_index_files=laid)
        snapshot = observe("ai_index", settings, DAY).snapshot
    assert [f.name for f in snapshot.files] == ["2025.zip", "2026.zip", "2027.zip"]
    kept, aside = snapshot.notes
    assert kept == (
        "edition 2027 is not on the source card: its tables are loaded, but no figure is mapped"
    )
    assert aside.startswith("edition 2028 not loaded: ") and "is not UTF-8" in aside
    rows = index_rows(settings)
    assert {row[2] for row in rows} == {2025, 2026, 2027}
    assert [sum(row[2] == e for row in rows) for e in (2025, 2027)] == [7 + 53 + 28] * 2


def test_a_missing_edition_is_noted_and_no_edition_is_an_error(
    editions: Path, tmp_path: Path
) -> None:
    shutil.rmtree(editions / "ai_index/2025")
    with StandIn(editions) as server:
        settings = settings_for(server, tmp_path)
        notes = observe("ai_index", settings, DAY).snapshot.notes
        assert [n.split(" is")[0] for n in notes] == ["edition 2025"]
        nowhere = settings.model_copy(update={"ai_index_url": server.url + "/none/{edition}.zip"})
        with pytest.raises(SourceError, match="no edition is available") as failed:
            observe("ai_index", nowhere, NEXT_DAY)
        assert "OBSERVATORY_AI_INDEX_FILES" in str(failed.value)
        lost = settings.model_copy(update={"ai_index_files": tmp_path / "nowhere"})
        with pytest.raises(SourceError, match="folder for edition files does not exist"):
            observe("ai_index", lost, NEXT_DAY)


def test_secrets_in_an_address_are_not_stored(editions: Path, tmp_path: Path) -> None:
    with StandIn(editions) as server:
        template = server.url + "/ai_index/{edition}.zip?access_token=hunter2"
        settings = settings_for(server, tmp_path).model_copy(update={"ai_index_url": template})
        observe("ai_index", settings, DAY)
        assert parse_qs("access_token=hunter2") == server.requests[0].query
    sidecar = (settings.archive / f"ai_index/{DAY}/snapshot.json").read_text()
    assert "hunter2" not in sidecar


def test_a_zip_with_a_flipped_byte_is_rejected_or_read_unchanged(
    editions: Path, tmp_path: Path
) -> None:
    zipped(editions / "ai_index/2025", tmp_path / "2025.zip")
    whole = (tmp_path / "2025.zip").read_bytes()

    def members(data: bytes) -> dict[str, bytes]:
        with open_zip(data) as bundle:
            figures = [name for name in bundle.namelist() if "/Data/fig_" in name]
            return {name: bundle.read(name) for name in figures}

    sound, refusals = members(whole), 0
    for position in range(len(whole)):
        flipped = whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :]
        try:
            assert members(flipped) == sound
        except DamagedZipError:
            refusals += 1
    assert len(whole) / 2 < refusals < len(whole)


def test_an_edition_with_a_flipped_byte_is_rejected_or_read_unchanged(
    editions: Path, tmp_path: Path
) -> None:
    laid = tmp_path / "laid"
    laid.mkdir()
    zipped(editions / "ai_index/2025", laid / "2025.zip")
    whole = (laid / "2025.zip").read_bytes()
    with StandIn(editions) as server:
        settings = settings_for(server, tmp_path, ai_index_files=laid)
        observe("ai_index", settings, DAY)
        rows, refusals = index_rows(settings), 0
        for position in range(0, len(whole), 151):
            flipped = whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :]
            (laid / "2025.zip").write_bytes(flipped)
            shutil.rmtree(settings.archive)
            try:
                observe("ai_index", settings, DAY)
            except SourceError as error:
                refusals += 1
                assert "2026-08-15 edition 2025: " in str(error)
            else:  # a byte that no reader looks at, such as a time stamp
                assert index_rows(settings) == rows
    assert refusals
