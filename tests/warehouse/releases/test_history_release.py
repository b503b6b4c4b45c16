"""The history in a release: uploaded once, listed, and readable without our code."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings

from flows.settings import Settings
from flows.steps import sequence
from tests.conftest import ROOT
from tests.support.frames import PROPERTY
from tests.support.hub_histories import (
    Listing,
    applied,
    given_counters,
    histories,
    raw,
    sweep,
    three_days,
)
from tests.support.releases import build_warehouse
from tests.warehouse.releases.test_release import stage
from warehouse.archive.snapshot import ArchiveError
from warehouse.contracts.table import literal
from warehouse.database.duckdb_file import create_tables
from warehouse.hub_history.store import History
from warehouse.publishing.release_objects import DamagedError
from warehouse.publishing.upload import upload
from warehouse.publishing.verify import verify
from warehouse.releases.hub_history_export import LIST, list_json, shared_files
from warehouse.releases.manifest import Audience, Manifest
from warehouse.releases.stage import add_files
from warehouse.storage.files import sha256
from warehouse.storage.local import LocalStorage

RECIPES = (ROOT / "docs" / "reading-a-release.md").read_text(encoding="utf-8")
RECIPE = RECIPES.split("## Any past day of the whole Hub", 1)[1].split("```sql")[1].split("```")[0]
SAMPLE = ROOT / "warehouse" / "sample"


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    found = duckdb.connect()
    create_tables(found)
    return found


def published(history: History, place: Path) -> dict[str, Any]:
    """Publishes the shared files and the list, and returns the list."""
    entries = history.ledger.entries
    for entry, path in shared_files(history, entries):
        target = place / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (place / "latest").mkdir(exist_ok=True)
    (place / "latest" / LIST).write_bytes(list_json(entries))
    return json.loads(list_json(entries))


def found_by_the_recipe(place: Path, when: date) -> list[tuple[Any, ...]]:
    """What the query of the documentation gives, with DuckDB alone."""
    assert RECIPE.count("'data/published'") == RECIPE.count("'2026-08-07'") == 1
    query = RECIPE.replace("'data/published'", literal(str(place)))
    with duckdb.connect() as con:
        return con.execute(query.replace("2026-08-07", str(when))).fetchall()


@settings(PROPERTY, max_examples=15)
@given(histories())
def test_the_recipe_gives_any_day_from_the_files(
    con: duckdb.DuckDBPyConnection,
    tmp_path_factory: pytest.TempPathFactory,
    listings: dict[date, Listing],
) -> None:
    raw(con, listings)
    history = applied(con, tmp_path_factory.mktemp("history"), [sweep(when) for when in listings])
    place = tmp_path_factory.mktemp("place")
    published(history, place)
    for when, models in listings.items():
        assert sorted(found_by_the_recipe(place, when)) == given_counters(models), when


def test_every_column_of_the_files_has_a_description(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    raw(con, three_days())
    history = applied(con, tmp_path / "history", [sweep(when) for when in three_days()])
    listed = published(history, tmp_path / "place")
    for table in listed["tables"]:
        assert all(column["description"] for column in table["columns"])
        columns = [(c["name"], c["type"]) for c in table["columns"]]
        files = [f for f in listed["files"] if f["table"] == table["name"]]
        assert [f["snapshot_date"] for f in files if f["is_checkpoint"]] == [
            "2026-01-25", "2026-02-01",
        ]  # fmt: skip
        for file in files:
            path = tmp_path / "place" / file["path"]
            found = duckdb.execute("DESCRIBE FROM read_parquet(?)", [str(path)]).fetchall()
            assert [(name, kind) for name, kind, *_ in found] == columns
            assert sha256(path.read_bytes()) == file["sha256"]


# ---- in storage ------------------------------------------------------------------------------


def staged(database: Path, folder: Path, history: History, days: int) -> Manifest:
    entries = history.ledger.entries[:days]
    return stage(
        database,
        folder,
        code={"version": "1", "digest": str(days)},
        documents={LIST: list_json(entries)},
        shared=shared_files(history, entries),
    )


def test_a_day_is_uploaded_once_and_shared_by_releases(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw(con, three_days())
    history = applied(con, tmp_path / "history", [sweep(when) for when in three_days()])
    database, storage = build_warehouse(tmp_path / "wh.duckdb"), LocalStorage(tmp_path / "place")
    sent: list[str] = []
    put = LocalStorage.put_file
    monkeypatch.setattr(
        LocalStorage,
        "put_file",
        lambda self, key, *rest, **asked: (sent.append(key), put(self, key, *rest, **asked))[1],
    )
    manifests = []
    for days in (2, 3):
        folder = tmp_path / f"release-{days}"
        manifests.append(add_files(folder, staged(database, folder, history, days)))
        assert not [e.path for e in manifests[-1].objects if e.path.startswith("hub_history/")]
        upload(folder, manifests[-1], storage)
    shared = [key for key in sent if key.startswith("hub_history/")]
    assert sorted(shared) == sorted(e.path for e in manifests[1].shared)
    assert len(shared) == 2 * 3
    for manifest in manifests:
        assert verify(storage, manifest.release_id).is_intact
    first = tmp_path / "place" / manifests[0].shared[0].path
    first.write_bytes(first.read_bytes()[:-1])
    assert verify(storage, manifests[0].release_id).damaged == (manifests[0].shared[0].path,)
    folder = tmp_path / "again"
    manifest = staged(database, folder, history, 4)
    with pytest.raises(DamagedError, match="releases share it and it never changes"):
        upload(folder, manifest, storage)


@pytest.mark.slow
@pytest.mark.parametrize("audience", ["internal", "public"])
def test_a_release_includes_the_history_or_logs_a_warning(
    tmp_path: Path, audience: Audience, caplog: pytest.LogCaptureFixture
) -> None:
    asked = Settings(
        archive=SAMPLE,
        warehouse=tmp_path / "observatory.duckdb",
        docs=tmp_path / "validation",
        history=tmp_path / "history",
        sources=("hub",),
        publish_to=(str(tmp_path / "place"),),
    )
    sequence.build(asked, date(2026, 8, 15))
    sequence.publish(asked, asked.publish_to, audience)
    place = tmp_path / "place"
    day = date(2026, 8, 7)
    with duckdb.connect(str(asked.warehouse), read_only=True) as con:
        query = """SELECT model_id_hf, downloads_30d, downloads_all_time, likes, trending_score
            FROM raw.hub_models WHERE snapshot_date = ?"""
        recorded = con.execute(query, [day]).fetchall()
    assert recorded and sorted(found_by_the_recipe(place, day)) == sorted(recorded)
    assert "goes without" not in caplog.text
    other = asked.model_copy(update={"history": tmp_path / "none"})
    sequence.publish(other, [str(tmp_path / "other")], audience)
    assert re.search("the release does not include the Hub's", caplog.text)
    assert not (tmp_path / "other" / "latest" / LIST).exists()
    without = asked.model_copy(update={"archive": tmp_path / "another"})
    with pytest.raises(ArchiveError, match="give the archive of that build with --archive"):
        sequence.publish(without, [str(tmp_path / "third")], audience)
    assert not (tmp_path / "third").exists()
