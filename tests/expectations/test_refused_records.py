"""Rules on refused records: whole parts, large shares, increases, days refused on arrival."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from expectations.rule_sets.refused import PARTS, refusal_rules
from expectations.rules import rules_for
from expectations.suites import select_failing_rows
from flows.reports.status import status_of
from flows.settings import Settings
from flows.sources.http import SourceError
from flows.steps import build as steps
from flows.steps import sequence
from flows.steps.observe import observe
from tests.standin import StandIn
from warehouse.archive.archive import Archive
from warehouse.contracts.table import contract
from warehouse.site.i18n import LANGUAGES, TEXT
from warehouse.site.release_tables import released
from warehouse.site.sections.health import _refused

OLD, NEW = date(2026, 8, 14), date(2026, 8, 15)
SOURCES = {
    "raw.hub_models": "hub",
    "raw.hub_namespace_models": "hub_namespaces",
    "raw.hub_datasets": "hub_datasets",
    "raw.hub_trending": "hub_trending",
    "raw.hub_stats_models": "hub_stats",
    "raw.hub_evolution_counters": "hub_evolution",
    "raw.hub_trending_feed": "hub_trending_feed",
    "raw.epoch_models": "epoch",
    "raw.epoch_capabilities": "epoch",
    "raw.epoch_organizations": "epoch",
    "raw.epoch_model_versions": "epoch",
    "raw.arena_leaderboards": "lmarena",
    "raw.arena_agent_leaderboards": "lmarena",
    "raw.arena_space_tables": "lmarena_space",
    "raw.arena_space_ratings": "lmarena_space",
    "raw.arena_catalog_ratings": "arena_catalog",
    "raw.ai_index_rows": "ai_index",
    "raw.openrouter_rankings": "openrouter",
}
WHOLE, EARLIER = "newest_part_is_not_refused_entirely", "earlier_part_is_not_refused_entirely"
FEW, RISE, CELLS = "refused_records_are_few", "refusals_do_not_rise", "refused_cells_are_few"
COLUMNS = (
    "snapshot_id",
    "subset",
    "category",
    "leaderboard_publish_date",
    "file_name",
    "source_category",
)
Kept = tuple[date, str, int]  # day, part (file, subset, or subset/category/day), records


def test_every_table_with_refused_records_has_rules() -> None:
    assert set(PARTS) == set(SOURCES)
    for table in PARTS:
        names = {r.name for r in rules_for(contract(table))}
        assert {WHOLE, EARLIER, FEW, RISE, CELLS} <= names


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute("CREATE SCHEMA raw; CREATE SCHEMA meta")
        made.execute("CREATE TABLE meta.snapshots (source TEXT, snapshot_id TEXT, is_loaded BOOL)")
        made.execute(
            "CREATE TABLE raw.quarantine (snapshot_id TEXT, table_name TEXT, file_name TEXT, "
            "reason TEXT, record TEXT, kind TEXT, column_name TEXT)"
        )
        yield made


def plant(
    con: duckdb.DuckDBPyConnection,
    table: str,
    kept: Sequence[Kept],
    refused: Sequence[Kept] = (),
    reason: str = "odd",
    column: str | None = None,
) -> dict[str, str]:
    """The rules that fail, with their severity."""
    source = SOURCES[table]
    columns = ", ".join(f"{c} TEXT" for c in COLUMNS)
    con.execute(f"CREATE OR REPLACE TABLE {table} ({columns})")
    con.execute("DELETE FROM meta.snapshots; DELETE FROM raw.quarantine")
    for day in sorted({d for d, *_ in (*kept, *refused)}):
        con.execute("INSERT INTO meta.snapshots VALUES (?, ?, true)", [source, f"{source}/{day}"])
    for day, part, n in kept:
        row = [f"{source}/{day}", *_columns(part)]
        con.execute(f"INSERT INTO {table} SELECT ?, ?, ?, ?, ?, ? FROM range({n})", row)
    for day, part, n in refused:
        kind = "cell" if column else "record"
        row = [f"{source}/{day}", table, *_quarantined(table, part, reason), kind, column]
        con.execute(f"INSERT INTO raw.quarantine SELECT ?, ?, ?, ?, ?, ?, ? FROM range({n})", row)
    return {
        rule.name: rule.severity
        for rule in refusal_rules(contract(table))
        if con.sql(select_failing_rows(table, str(rule.check().failing_rows))).fetchall()
    }


def _columns(part: str) -> list[str | None]:
    subset, category, day = [*part.split("/"), "overall", str(OLD)][:3]
    return [subset, category, day, part, category]


def _quarantined(table: str, part: str, reason: str) -> list[str]:
    subset, category, day = [*part.split("/"), "overall", str(OLD)][:3]
    record: dict[str, Any] = {"category": category, "leaderboard_publish_date": day}
    record |= {"subset": subset, "source_category": category}
    if table == "raw.arena_catalog_ratings":
        record = {category: {"model": {"rating": "x"}}}
    file = f"{subset}/full.parquet" if "leaderboards" in table else part
    file += ".csv" if table.startswith("raw.epoch_") else ""
    return [file, reason, json.dumps(record)]


@pytest.mark.parametrize("table", PARTS)
def test_newest_snapshot_refused_entirely_stops_the_build(
    con: duckdb.DuckDBPyConnection, table: str
) -> None:
    before = [(OLD, "a", 10)]
    assert plant(con, table, [*before, (NEW, "a", 10)]) == {}
    found = plant(con, table, before, [(NEW, "a", 13)])
    assert found[WHOLE] == "critical"
    rule = next(r for r in refusal_rules(contract(table)) if r.name == WHOLE)
    assert "observatory exclude SOURCE/DATE" in rule.description


@pytest.mark.parametrize("table", PARTS)
def test_older_snapshot_refused_entirely_is_a_warning(
    con: duckdb.DuckDBPyConnection, table: str
) -> None:
    found = plant(con, table, [(NEW, "a", 10)], [(OLD, "a", 10)])
    assert found == {EARLIER: "warning"}


@pytest.mark.parametrize("table", [t for t, p in PARTS.items() if p.loaded != "''"])
def test_file_or_board_refused_entirely_stops_the_build(
    con: duckdb.DuckDBPyConnection, table: str
) -> None:
    held = [(NEW, "a", 5000), (NEW, "b", 5000)]
    assert plant(con, table, held, [(NEW, "a", 1)]) == {RISE: "warning"}
    found = plant(con, table, held, [(NEW, "c", 1)])
    assert found == {WHOLE: "critical", RISE: "warning"}


@pytest.mark.parametrize("board", ["text/overall/2026-08-15", "text/coding/2026-08-14"])
def test_each_day_and_category_of_a_board_is_a_part(
    con: duckdb.DuckDBPyConnection, board: str
) -> None:
    held = [(NEW, "text/overall/2026-08-14", 500)]
    found = plant(con, "raw.arena_leaderboards", held, [(NEW, board, 3)])
    assert found[WHOLE] == "critical"


@pytest.mark.parametrize(
    ("n_refused", "n_kept", "severity"),
    [
        (19, 81, None),  # a few records of a small file are reported by other rules
        (20, 380, None),  # 5 %
        (21, 380, "critical"),
        (600, 400, "critical"),
    ],
)
@pytest.mark.parametrize("table", ["raw.epoch_models", "raw.arena_leaderboards", "raw.hub_models"])
def test_large_refused_share_stops_the_build(
    con: duckdb.DuckDBPyConnection, table: str, n_refused: int, n_kept: int, severity: str | None
) -> None:
    found = plant(con, table, [(NEW, "a", n_kept)], [(NEW, "a", n_refused)])
    assert found.get(FEW) == severity


def test_hub_listing_with_more_than_half_refused_stops_the_build(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """createdAt in milliseconds refused 6 of 7 models, and the US had 100 %."""
    assert plant(con, "raw.hub_models", [(NEW, "a", 1)], [(NEW, "b", 6)])[FEW] == "critical"
    assert FEW not in plant(con, "raw.epoch_models", [(NEW, "a", 1)], [(NEW, "a", 3)])


@pytest.mark.parametrize("table", ["raw.hub_models", "raw.hub_trending", "raw.epoch_models"])
@pytest.mark.parametrize(("before", "now", "warns"), [(0, 1, True), (2, 2, False), (3, 2, False)])
def test_larger_refused_share_than_before_is_a_warning(
    con: duckdb.DuckDBPyConnection, table: str, before: int, now: int, warns: bool
) -> None:
    kept = [(OLD, "a", 100), (NEW, "a", 100)]
    found = plant(con, table, kept, [(OLD, "a", before), (NEW, "a", now)])
    assert found == ({RISE: "warning"} if warns else {})


def test_duplicate_record_does_not_count_as_refused(con: duckdb.DuckDBPyConnection) -> None:
    twice = [(NEW, "a", 50)]
    assert plant(con, "raw.hub_models", [(NEW, "a", 100)], twice, reason="duplicate") == {}


def test_column_with_many_unusable_cells_is_a_warning(con: duckdb.DuckDBPyConnection) -> None:
    given = [(NEW, "a", 100)]
    table = "raw.arena_leaderboards"
    assert plant(con, table, given, [(NEW, "a", 5)], column="rating_upper") == {}
    found = plant(con, table, given, [(NEW, "a", 6)], column="rating_upper")
    assert found == {CELLS: "warning"}


# ---- refused at arrival -------------------------------------------------------------------------

HEADER = (
    "Model,Organization,Publication date,Domain,Task,Parameters,Training compute (FLOP),Link,"
    "Organization categorization,Country (of organization),Notability criteria,Model accessibility"
)


def vintage(root: Path, day: date, *lines: str) -> None:
    path = root / "epoch" / str(day) / "notable_ai_models.csv"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join([HEADER, *lines, ""]), "utf-8")


def record(name: str, day: str = "2025-01-10") -> str:
    return f"{name},OpenAI,{day},,,,,,,United States of America,,API access"


def observed_from(root: Path, folder: Path, day: date) -> Settings:
    """Epoch observed on a day from its own file; whatever comes of it."""
    with StandIn(root, epoch_date=str(day)) as server:
        settings = Settings(
            archive=folder / "archive",
            warehouse=folder / "w.duckdb",
            docs=folder / "docs",
            history=folder / "history",
            publish_to=(str(folder / "published"),),
            sources=("epoch",),
            epoch_url=server.exports["OBSERVATORY_EPOCH_URL"],
            http_first_wait_seconds=0.01,
        )
        observe("epoch", settings, day)
    return settings


def noted(settings: Settings, as_of: date, tmp_path: Path) -> list[tuple[Any, ...]]:
    """meta.refused_snapshots as a build of the day has it."""
    archive = Archive(settings.archive)
    path = tmp_path / f"{as_of}.duckdb"
    path.unlink(missing_ok=True)
    snapshots = steps.chosen_snapshots(archive, settings.sources, as_of)
    steps.load_raw(path, archive, snapshots)
    steps.write_excluded_snapshots(path, archive, snapshots, settings.sources, as_of)
    with duckdb.connect(str(path), read_only=True) as con:
        columns = "snapshot_id, refused_by, reason, continues_with, is_newest"
        return con.sql(f"SELECT {columns} FROM meta.refused_snapshots").fetchall()


@pytest.mark.slow
def test_newest_snapshot_refused_on_arrival_is_reported(tmp_path: Path) -> None:
    root = tmp_path / "recordings"
    vintage(root, OLD, record("a"), record("b"))
    vintage(root, NEW, record("a"), "cut,")
    settings = observed_from(root, tmp_path, OLD)
    with pytest.raises(SourceError) as refused:
        observed_from(root, tmp_path, NEW)
    ((name, by, reason, older, is_newest),) = noted(settings, NEW, tmp_path)
    assert (name, by, older, is_newest) == ("epoch/2026-08-15", "arrival", "epoch/2026-08-14", True)
    assert reason in str(refused.value)
    assert str(tmp_path) not in reason  # it goes into releases
    assert noted(settings, OLD, tmp_path) == []  # a build looks at nothing later
    assert status_of(settings)["refused_at_arrival"] == {"epoch/2026-08-15": reason}
    report = sequence.validate(tmp_path / f"{NEW}.duckdb", "raw")
    assert "newest_snapshot_is_used" not in {r.expectation for r in report.failures("critical")}


def test_snapshot_sealed_later_is_no_longer_reported(tmp_path: Path) -> None:
    damaged, sound = tmp_path / "damaged", tmp_path / "sound"
    vintage(damaged, NEW, "cut,")
    vintage(sound, NEW, record("a"))
    with pytest.raises(SourceError):
        observed_from(damaged, tmp_path, NEW)
    settings = observed_from(sound, tmp_path, NEW)
    assert noted(settings, NEW, tmp_path) == []
    assert status_of(settings)["refused_at_arrival"] == {}


@pytest.mark.slow
def test_snapshot_excluded_by_a_person_is_reported(tmp_path: Path) -> None:
    root = tmp_path / "recordings"
    vintage(root, OLD, record("a"))
    vintage(root, NEW, record("a"), record("b"))
    settings = observed_from(root, tmp_path, OLD)
    observed_from(root, tmp_path, NEW)
    assert noted(settings, NEW, tmp_path) == []
    Archive(settings.archive).exclude("epoch", OLD, "the old one")
    assert noted(settings, NEW, tmp_path) == [
        ("epoch/2026-08-14", "person", "the old one", "epoch/2026-08-15", False)
    ]
    Archive(settings.archive).include("epoch", OLD)
    Archive(settings.archive).exclude("epoch", NEW, "dates")
    expected = ("epoch/2026-08-15", "person", "dates", "epoch/2026-08-14", True)
    assert noted(settings, NEW, tmp_path) == [expected]


def test_vintage_with_unreadable_dates_stops_the_build_until_excluded(tmp_path: Path) -> None:
    """Case 12: the newest vintage wrote its dates as M/D/YYYY."""
    root = tmp_path / "recordings"
    vintage(root, OLD, record("a"), record("b"))
    vintage(root, NEW, *(record(name, "1/10/2025") for name in "abc"))
    settings = observed_from(root, tmp_path, OLD)
    observed_from(root, tmp_path, NEW)
    path = tmp_path / f"{NEW}.duckdb"
    noted(settings, NEW, tmp_path)
    failed = sequence.validate(path, "raw").failures("critical")
    assert [(f.table_name, f.expectation) for f in failed] == [("raw.epoch_models", WHOLE)]
    Archive(settings.archive).exclude("epoch", NEW, "dates as M/D/YYYY")
    noted(settings, NEW, tmp_path)
    report = sequence.validate(path, "raw")
    assert report.failures("critical") == []
    assert "newest_snapshot_is_used" in {f.expectation for f in report.failures("warning")}


def test_page_names_refused_snapshots_and_their_replacements(tmp_path: Path) -> None:
    path, table = tmp_path / "released.duckdb", contract("meta.refused_snapshots")
    kinds = [("hub/2026-08-15", "hub", "arrival"), ("epoch/2026-08-15", "epoch", "person")]
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE SCHEMA meta")
        con.execute(table.create_sql())
        for name, source, by in kinds:
            row = [name, source, NEW, by, "cut off", f"{source}/{OLD}", True]
            con.execute(f"INSERT INTO {table.sql_name} VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        old = ["hub/2026-08-13", "hub", OLD, "person", "old", f"hub/{OLD}", False]
        con.execute(f"INSERT INTO {table.sql_name} VALUES (?, ?, ?, ?, ?, ?, ?)", old)
    with released(path) as tables:
        found = _refused(tables)
    assert [(r["source"], r["refused_by"]) for r in found] == [
        ("epoch", "person"),
        ("hub", "arrival"),
    ]
    for language in LANGUAGES:
        texts = yaml.safe_load((TEXT / f"{language}.yml").read_text("utf-8"))["texts"]
        for row in found:
            text = texts[f"refused.{row['refused_by']}"].format(source=row["source"], day=NEW)
            assert row["source"] in text and str(NEW) in text
        assert f"hub/{OLD}" in texts["refused.continues"].format(older=f"hub/{OLD}")
