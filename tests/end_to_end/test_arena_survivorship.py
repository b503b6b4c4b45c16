"""Retired models through the whole pipeline: gone from the data set's file, back on the board."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest

from flows.steps import sequence
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import StandIn
from warehouse.database.duckdb_file import open_read_only

pytestmark = pytest.mark.slow  # two builds over HTTP

BOARDS = ("text", "text_style_control")
DAYS = (date(2025, 5, 13), date(2025, 5, 20))  # the data set and arena-catalog have both
COVERED = DAYS[1]
FULL = "lmarena/leaderboard-dataset/{}/full-00000-of-00001.parquet"
KEPT = f"leaderboard_publish_date IN ('{DAYS[0]}', '{DAYS[1]}')"
# As the official history drops whoever leaves the registry: from every date at once.
RETIRED = "regexp_matches(lower(model_name), '^(gemini-(1|2.0|exp)|gpt-4o|claude-3-5|deepseek)')"
SHOWN = "board, category, model_id, round(rating), rank_ordinal, rank_ub, country_code"


def recorded(recordings: Path, folder: Path, keeps: str) -> Path:
    """Two weeks of two boards as recorded, without what `keeps` leaves out, and the catalog."""
    for board in BOARDS:
        into = folder / FULL.format(board)
        into.parent.mkdir(parents=True)
        duckdb.sql(
            f"COPY (FROM '{recordings / FULL.format(board)}' WHERE {KEPT} AND {keeps}) TO '{into}'"
        )
    # the Space's tables say who is behind a display name
    for name in ("space", *(f"arena-catalog/{day}" for day in DAYS)):
        shutil.copytree(recordings / "lmarena" / name, folder / "lmarena" / name)
    return folder


def board_of(folder: Path) -> list[tuple[object, ...]]:
    """Observes and builds over HTTP as a user would; the covered date's ratings and ranks."""
    with StandIn(folder) as server:
        settings = settings_for(server, folder / "run")
        for source in settings.sources:
            observe(source, settings, DAY)
    sequence.build(settings, DAY)
    with open_read_only(settings.warehouse) as con:
        return con.execute(
            f"SELECT {SHOWN}, board_source FROM core.arena_ratings WHERE publish_date = ? "
            "AND category IN ('overall', 'coding', 'math') ORDER BY ALL",
            [COVERED],
        ).fetchall()


@pytest.fixture(scope="module")
def both(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list, list]:
    """The boards as recorded, and with retired models taken out of the data set's files."""
    whole, healed = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("healed")
    return (
        board_of(recorded(recordings, whole, "true")),
        board_of(recorded(recordings, healed, f"NOT {RETIRED}")),
    )


def test_they_come_back_with_their_ranks_and_say_from_where(
    both: tuple[list[tuple[object, ...]], list[tuple[object, ...]]],
) -> None:
    whole, healed = both
    categories = ("coding", "math")  # as precise in the data set as in the catalog
    exact = [[row[:-1] for row in rows if row[1] in categories] for rows in (whole, healed)]
    assert exact[0] == exact[1]
    back, before = (
        {row[:3] for row in rows if row[-1] == "arena_catalog"} for rows in (healed, whole)
    )
    assert len(back - before) > 40
    assert {row[:2] for row in back - before} >= {(b, c) for b in BOARDS for c in categories}


def test_a_rounded_board_is_healed_within_its_rounding(
    both: tuple[list[tuple[object, ...]], list[tuple[object, ...]]],
) -> None:
    """The recorded overall board has whole numbers: a rank may move among equals, no further."""
    whole, healed = (
        {row[2]: row for row in rows if row[:2] == ("text", "overall")} for rows in both
    )
    assert set(whole) == set(healed)
    for model, row in whole.items():
        assert abs(float(str(healed[model][3])) - float(str(row[3]))) <= 1
