"""The study's data set: fetched over HTTP only when it changed, and read row by row."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.settings import Settings
from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import settings_for
from tests.standin import StandIn
from tests.support.sources import downloads, loaded, refused
from warehouse.archive.archive import Archive
from warehouse.contracts.source import card
from warehouse.contracts.table import contract

FIRST, SECOND = date(2026, 8, 15), date(2026, 8, 22)
FILE, YEAR = "all_downloads_with_annotations.parquet", "one_year_rolling.parquet"
TABLE = "raw.hub_evolution_counters"
LABELS = {
    "org_country": "org_country_single",
    "derived_org_country": "derived_org_country_single",
    "country_group": "merged_country_groups_single",
    "derived_country_group": "merged_derived_country_groups_single",
    "org_type": "org_type",
}


@pytest.fixture(scope="session")
def study(more_recordings: Path) -> Path:
    """The recorded part of the study's file: 41 models on 32 days."""
    return more_recordings / "hub_evolution" / FILE


def row(model: str | None, day: str | None, counter: int | None, **more: Any) -> dict[str, Any]:
    """One row of the file with the columns that matter."""
    time = datetime.fromisoformat(day) if day else None
    base = {"model": model, "author": model and model.split("/")[0], "time": time}
    base |= {"created": datetime(2024, 1, 2, 3, 4, 5), "downloadsAllTime": counter}
    return base | dict.fromkeys(LABELS.values(), "China") | more


def offer(folder: Path, rows: list[dict[str, Any]], name: str = FILE) -> Path:
    """A repository of the study with these rows; returns the folder of recordings."""
    path = folder / "hub_evolution" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return folder


def observed(recordings: Path, folder: Path, day: date = FIRST) -> Settings:
    with StandIn(recordings) as server:
        settings = settings_for(server, folder)
        observe("hub_evolution", settings, day)
    return settings


ROWS = [
    row("lab/a", "2025-02-26", 100),
    row("lab/a", "2025-03-05", 150),
    row("gpt2", "2025-03-05", 0),
    row("lab/b", "2025-03-05", None),
]


def test_the_recorded_file_is_read_like_a_plain_reader_does(study: Path, tmp_path: Path) -> None:
    con = loaded(observed(study.parents[1], tmp_path), "hub_evolution")
    ours = con.execute(
        f"SELECT model_id_hf, as_of_date, author, created_at, downloads_all_time, "
        f"{', '.join(LABELS)} FROM {TABLE} ORDER BY line"
    ).fetchall()
    labels = LABELS.values()
    plain = [
        tuple(
            r[name] for name in ("model", "day", "author", "created", "downloadsAllTime", *labels)
        )
        for r in pl.read_parquet(study).with_columns(day=pl.col("time").dt.date()).to_dicts()
    ]
    assert ours == plain
    assert refused(con) == []


def test_falls_of_the_recorded_file_are_those_of_a_plain_loop(study: Path, tmp_path: Path) -> None:
    con = loaded(observed(study.parents[1], tmp_path), "hub_evolution")
    series: dict[str, dict[date, int]] = defaultdict(dict)
    for r in pl.read_parquet(study).to_dicts():
        series[r["model"]][r["time"].date()] = r["downloadsAllTime"]
    falls = {
        (model, day, found[before] - found[day])
        for model, found in series.items()
        for before, day in zip(sorted(found), sorted(found)[1:], strict=False)
        if found[day] < found[before]
    }
    flagged = f"SELECT model_id_hf, as_of_date, downloads_fell_by FROM {TABLE} WHERE "
    assert set(con.execute(flagged + "downloads_fell_by IS NOT NULL").fetchall()) == falls


def test_an_unchanged_file_is_not_downloaded_again(tmp_path: Path) -> None:
    folder = offer(offer(tmp_path / "recordings", ROWS), [{"anything": 1}], YEAR)
    with StandIn(folder) as server:
        settings = settings_for(server, tmp_path)
        first = observe("hub_evolution", settings, FIRST).snapshot
        assert sorted(downloads(server)) == [FILE, YEAR]
        server.requests.clear()
        second = observe("hub_evolution", settings, SECOND).snapshot
        assert downloads(server) == []
        assert f"{FILE} is unchanged and was not downloaded" in second.notes
        assert [f.path for f in second.files] == [f.path for f in first.files]
        offer(folder, [*ROWS, row("lab/a", "2025-03-12", 175)])
        third = observe("hub_evolution", settings, date(2026, 8, 29)).snapshot
        assert downloads(server) == [FILE]
    assert [f.rows_seen for f in third.files] == [5, 1]
    con = loaded(settings, "hub_evolution")
    assert con.execute(f"SELECT count(*) FROM {TABLE} GROUP BY ALL").fetchall() == [(13,)]


def test_the_second_file_is_archived_and_not_loaded(tmp_path: Path) -> None:
    folder = offer(offer(tmp_path / "recordings", ROWS), [{"anything": 1}], YEAR)
    settings = observed(folder, tmp_path)
    (snapshot,) = Archive(settings.archive).snapshots("hub_evolution")
    assert f"{YEAR} is archived and not loaded; its columns: ['anything']" in snapshot.notes
    con = loaded(settings, "hub_evolution")
    assert con.execute(f"SELECT count(*) FROM {TABLE}").fetchall() == [(4,)]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("cut", "Parquet"),
        ("column", r"lacks the columns \['downloadsAllTime'\]"),
        ("empty", "0 rows"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, damage: str, says: str) -> None:
    folder = offer(tmp_path / "recordings", ROWS)
    path = folder / "hub_evolution" / FILE
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "column":
        pq.write_table(pq.read_table(path).drop_columns("downloadsAllTime"), path)
    else:
        pq.write_table(pq.read_table(path).slice(0, 0), path)
    with pytest.raises(SourceError, match=rf"(?s)hub_evolution: {FIRST} {FILE}: .*{says}"):
        observed(folder, tmp_path)
    (aside,) = (tmp_path / "archive" / "hub_evolution" / str(FIRST) / "refused").iterdir()
    assert aside.read_bytes() == path.read_bytes()
    assert Archive(tmp_path / "archive").snapshots() == []


def test_a_data_set_without_the_file_is_an_error(tmp_path: Path) -> None:
    folder = offer(tmp_path / "recordings", ROWS, "something_else.parquet")
    with pytest.raises(SourceError, match=f"the data set has no {FILE}"):
        observed(folder, tmp_path)


def test_unusable_rows_go_to_quarantine_and_falls_are_flagged(tmp_path: Path) -> None:
    rows = [
        *ROWS,
        row("lab/a", "2025-03-12", 149),  # 5: below the week before
        row(None, "2025-03-12", 1),
        row("no id at all", "2025-03-12", 1),
        row("lab/c", None, 1),
        row("lab/d", "2025-03-12", -5),  # 9
        row("lab/e", "2025-03-12", 5_000_000_000_000),
        row("lab/f", "2025-03-12", 7),  # 11
        row("lab/f", "2025-03-12", 7),
        row("lab/g", "2025-03-12", 7),  # 13
        row("lab/g", "2025-03-12", 8),
        row("lab/h", "2025-03-12", 7),  # 15
        row("lab/h", "2025-03-12", 7, org_country_single="USA"),
    ]
    con = loaded(observed(offer(tmp_path / "recordings", rows), tmp_path), "hub_evolution")
    ambiguous = "different counters or countries for one model and day"
    absurd = "downloads_all_time: expected integer, 0 or more, at most 1e+12"
    assert [(line, reason) for _, line, reason in refused(con)] == [
        (6, "missing id"),
        (7, "model: expected a Hub id"),
        (8, "missing day"),
        (9, absurd),
        (10, absurd),
        (12, "duplicate"),
        *((line, ambiguous) for line in (13, 14, 15, 16)),
    ]
    kept = f"SELECT line, downloads_all_time, downloads_fell_by FROM {TABLE} ORDER BY line"
    assert con.execute(kept).fetchall() == [
        (1, 100, None),
        (2, 150, None),
        (3, 0, None),
        (4, None, None),
        (5, 149, 1),
        (9, None, None),
        (10, None, None),
        (11, 7, None),
    ]


def test_other_types_of_the_same_columns_are_read(tmp_path: Path) -> None:
    """Times in UTC or as text, counters as floats with gaps, countries as lists, columns absent."""
    day = {"time": "2025-03-05", "downloadsAllTime": 7.0, "org_country_single": ["China", "USA"]}
    odd = {**row("lab/a", "2025-03-05", 0), **day}
    gap = {**odd, "model": "lab/b", "downloadsAllTime": float("nan"), "org_country_single": []}
    del odd["org_type"], gap["org_type"]
    folder = offer(tmp_path / "recordings", [odd, gap])
    con = loaded(observed(folder, tmp_path), "hub_evolution")
    found = (
        f"SELECT as_of_date, downloads_all_time, org_country, org_type FROM {TABLE} ORDER BY line"
    )
    day_read = date(2025, 3, 5)
    assert con.execute(found).fetchall() == [
        (day_read, 7, "China; USA", None),
        (day_read, None, None, None),
    ]
    assert refused(con) == []


def test_a_public_release_has_no_rows_of_the_study() -> None:
    assert not card("hub_evolution").may_share_derived
    assert contract(TABLE).license_inputs == ("hub_evolution",)
