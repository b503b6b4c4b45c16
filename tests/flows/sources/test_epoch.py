"""Epoch: unchanged files are not sent again, and unusable cells are quarantined."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import StandIn
from tests.support.sources import (
    NEXT_DAY,
    counts,
    loaded,
    refused,
)
from warehouse.archive.archive import Archive


@pytest.fixture
def vintage(recordings: Path, tmp_path: Path) -> Path:
    """One vintage of notable models and of the capabilities index (which comes in a zip)."""
    folder = tmp_path / "recordings" / "epoch" / "2026-05-02"
    folder.mkdir(parents=True)
    shutil.copy(recordings / "epoch/2026-05-02/notable_ai_models.csv", folder)
    shutil.copy(recordings / "epoch/2026-03-09/epoch_capabilities_index.csv", folder)
    return tmp_path / "recordings"


def epoch_answers(server: StandIn) -> dict[str, int]:
    return {r.path.split("/")[-1]: r.status for r in server.requests if r.status != 404}


def test_an_unchanged_vintage_is_not_downloaded_again(vintage: Path, tmp_path: Path) -> None:
    with StandIn(vintage) as server:
        settings = settings_for(server, tmp_path)
        first = observe("epoch", settings, DAY).snapshot
        assert epoch_answers(server) == {"notable_ai_models.csv": 200, "benchmark_data.zip": 200}
        server.requests.clear()
        second = observe("epoch", settings, NEXT_DAY).snapshot
        assert epoch_answers(server) == {"notable_ai_models.csv": 304, "benchmark_data.zip": 304}
    assert sum(r.bytes for r in server.requests if r.status == 304) == 0
    assert [f.path for f in second.files] == [f.path for f in first.files]
    assert second.rows_seen == first.rows_seen == 1011 + 583
    found = counts(loaded(settings, "epoch"), "raw.epoch_models", "snapshot_date")
    assert found == {DAY: 1011, NEXT_DAY: 1011}
    assert "frontier_ai_models.csv is not offered" in " ".join(second.notes)


def test_a_vintage_with_lost_bytes_is_fetched_again(vintage: Path, tmp_path: Path) -> None:
    with StandIn(vintage) as server:
        settings = settings_for(server, tmp_path)
        lost = observe("epoch", settings, DAY).snapshot.find("notable")[0]
        (settings.archive / lost.path).write_bytes(b"rot")
        server.requests.clear()
        again = observe("epoch", settings, NEXT_DAY).snapshot.find("notable")[0]
        assert epoch_answers(server) == {"notable_ai_models.csv": 200, "benchmark_data.zip": 304}
    assert Archive(settings.archive).read(again).count(b"\n") > 1011
    assert again.path != lost.path


def test_epoch_cells_of_another_type_are_quarantined(vintage: Path, tmp_path: Path) -> None:
    path = vintage / "epoch/2026-05-02/notable_ai_models.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    rows[0][header.index("Publication date")] = "soon"
    rows[1][header.index("Parameters")] = "many"
    rows[2][header.index("Parameters")] = "  "
    rows[3][header.index("Model")] = 'A "quoted", name\nover two lines'
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines, lineterminator="\n").writerows([header, *rows])
    with StandIn(vintage) as server:
        settings = settings_for(server, tmp_path)
        observe("epoch", settings, DAY)
    con = loaded(settings, "epoch")
    table = "raw.epoch_models"
    assert refused(con) == [
        (table, 1, "publication_date: expected YYYY-MM-DD"),
        (table, 2, "parameters: expected number"),
    ]
    kept = con.execute(
        f"SELECT line, parameters, model_name_epoch FROM {table} WHERE line < 5 ORDER BY line"
    ).fetchall()
    assert [row[:2] for row in kept[:2]] == [(2, None), (3, None)]
    assert kept[2][2] == 'A "quoted", name\nover two lines'
    notes = "SELECT kind, column_name, record FROM raw.quarantine WHERE line = 2"
    assert con.execute(notes).fetchall() == [("cell", "parameters", "many")]
