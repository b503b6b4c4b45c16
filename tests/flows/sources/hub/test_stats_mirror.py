"""hub-stats, the optional backfill: daily copies by commit, with changing columns."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.settings import DEFAULT_SOURCES, Settings
from flows.sources.http import SourceError
from flows.steps.build import Clocks, NothingToBuildError, chosen_snapshots, load_raw, transform
from flows.steps.observe import observe
from tests.conftest import settings_for
from tests.standin import StandIn
from tests.support.sources import loaded, refused, some_models, write_models
from warehouse.archive.archive import Archive
from warehouse.database import duckdb_file

OLD, NEW, OWN = date(2025, 3, 1), date(2026, 1, 2), date(2026, 8, 15)
MODELS: list[dict[str, Any]] = [
    {"_id": f"{n:024x}", "id": f"lab/m{n}", "createdAt": "2024-01-01T00:00:00.000Z", "likes": n}
    for n in range(5)
]


def write_revision(folder: Path, day: date, frame: pl.DataFrame) -> None:
    path = folder / "hub-stats" / str(day) / "models.parquet"
    path.parent.mkdir(parents=True)
    frame.write_parquet(path)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Two revisions: in the older one createdAt is a text and there is no all-time counter."""
    folder = write_models(tmp_path / "recordings", some_models(5))
    old = pl.DataFrame(MODELS).with_columns(downloads=pl.lit(7.0), baseModels=pl.lit(None))
    write_revision(folder, OLD, old)
    new = pl.DataFrame(MODELS).with_columns(
        pl.col("createdAt").str.to_datetime(time_zone="UTC"),
        downloads=pl.lit(8),
        downloadsAllTime=pl.lit(80),
        usedStorage=pl.lit(1),
    )
    write_revision(folder, NEW, new)
    return folder


@pytest.fixture
def observed_stats(recorded: Path, tmp_path: Path) -> Settings:
    with StandIn(recorded) as server:
        settings = settings_for(server, tmp_path)
        for day in (OLD, NEW):
            observe("hub_stats", settings, day)
    return settings.model_copy(update={"sources": ("hub", "hub_stats")})


def test_hub_stats_is_observed_only_when_named() -> None:
    assert "hub_stats" not in DEFAULT_SOURCES
    assert "hub_stats" not in Settings().sources
    assert Settings(sources="hub,hub_stats").sources == ("hub", "hub_stats")


def test_every_model_of_a_revision_is_in_raw_whatever_the_columns(observed_stats: Settings) -> None:
    con = loaded(observed_stats, "hub_stats")
    assert refused(con) == []
    rows = con.execute(
        """SELECT snapshot_date, count(*), min(created_at)::VARCHAR, min(downloads_30d),
        max(downloads_all_time) FROM raw.hub_stats_models GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    assert rows == [
        (OLD, 5, "2024-01-01 00:00:00", 7, None),
        (NEW, 5, "2024-01-01 00:00:00", 8, 80),
    ]
    old, new = Archive(observed_stats.archive).snapshots("hub_stats")
    assert "lacks ['author', 'downloads_all_time', 'pipeline_tag'" in old.notes[0]
    assert "downloads_all_time" not in new.notes[0]
    assert f"of {OLD} 06:00 UTC" in old.notes[1]
    assert "/resolve/main/" not in old.files[0].url  # a branch moves, a commit does not


def test_hub_stats_fills_missing_days_and_is_never_the_only_source(
    recorded: Path, observed_stats: Settings, tmp_path: Path
) -> None:
    archive = Archive(observed_stats.archive)
    with pytest.raises(NothingToBuildError):
        chosen_snapshots(archive, observed_stats.sources, OWN)
    with StandIn(recorded) as server:
        for day in (NEW, OWN):
            observe("hub", settings_for(server, tmp_path), day)
    chosen = chosen_snapshots(archive, observed_stats.sources, OWN)
    assert [s.snapshot_id for s in chosen] == [f"hub/{NEW}", f"hub/{OWN}", f"hub_stats/{OLD}"]
    build = tmp_path / "build.duckdb"
    load_raw(build, archive, chosen)
    transform(build, "core", Clocks(OWN))
    with duckdb_file.open_read_only(build) as con:
        days = con.execute("SELECT DISTINCT as_of_date FROM core.hub_all_time_counters").fetchall()
        ours = con.execute("SELECT DISTINCT as_of_date FROM core.hub_daily_counters").fetchall()
    assert days == [(OLD,)]
    assert (OLD,) not in ours


def test_a_day_without_a_commit_is_an_error(recorded: Path, tmp_path: Path) -> None:
    with (
        StandIn(recorded) as server,
        pytest.raises(
            SourceError,
            match=f"no commit on that day; the dataset has commits of 2 days, {OLD} to {NEW}",
        ),
    ):
        observe("hub_stats", settings_for(server, tmp_path), OWN)


@pytest.mark.parametrize("damage", ["cut", "no id", "empty"])
def test_a_file_that_is_not_a_listing_is_quarantined(
    recorded: Path, tmp_path: Path, damage: str
) -> None:
    path = recorded / "hub-stats" / str(OLD) / "models.parquet"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "no id":
        pl.read_parquet(path).rename({"id": "name"}).write_parquet(path)
    else:
        pl.read_parquet(path).head(0).write_parquet(path)
    with StandIn(recorded) as server:
        settings = settings_for(server, tmp_path)
        with pytest.raises(SourceError, match=r"hub_stats: 2025-03-01 models\.parquet"):
            observe("hub_stats", settings, OLD)
    (aside,) = (settings.archive / "hub_stats" / str(OLD) / "refused").iterdir()
    assert aside.read_bytes() == path.read_bytes()
    assert Archive(settings.archive).snapshots() == []


def test_unusable_rows_go_to_quarantine(recorded: Path, tmp_path: Path) -> None:
    path = recorded / "hub-stats" / str(OLD) / "models.parquet"
    frame = pl.read_parquet(path).with_columns(pl.col("likes").cast(pl.String))
    odd = frame.head(1).with_columns(id=pl.lit("lab/odd"), likes=pl.lit("many"))
    nameless = frame.head(1).with_columns(id=pl.lit(None, pl.String))
    pl.concat([frame, odd, nameless, frame.head(1)]).write_parquet(path)
    with StandIn(recorded) as server:
        settings = settings_for(server, tmp_path)
        observe("hub_stats", settings, OLD)
    con = loaded(settings, "hub_stats")
    assert refused(con) == [
        ("raw.hub_stats_models", 6, "likes: expected integer, 0 or more, at most 1e+12"),
        ("raw.hub_stats_models", 7, "missing id"),
        ("raw.hub_stats_models", 8, "duplicate"),
    ]
    assert con.execute("SELECT count(*) FROM raw.hub_stats_models").fetchall() == [(6,)]
