"""Fixtures: the frozen Space and the catalog, whole and in small."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from flows.settings import Settings
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import StandIn
from tests.support.arena import (
    CATALOG,
    SPACE,
    write,
)
from tests.support.pickles import MODELS, flat, result


@pytest.fixture(scope="module")
def frozen(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Space and catalog observed once from the recordings; read it, do not write to it."""
    with StandIn(recordings) as server:
        settings = settings_for(server, tmp_path_factory.mktemp("frozen"))
        for source in ("lmarena_space", "arena_catalog"):
            observe(source, settings, DAY)
    return settings


@pytest.fixture
def small(recordings: Path, tmp_path: Path) -> Path:
    """Three tables of the Space, three states of the catalog."""
    folder = tmp_path / "recordings"
    for day in ("20230619", "20240422-2", "20250330"):
        name = f"{SPACE}/leaderboard_table_{day}.csv"
        write(folder / name, (recordings / name).read_bytes())
    for day in ("2025-05-13", "2025-05-20", "2025-12-11"):
        for board in ("image", "vision"):
            name = f"{CATALOG}/{day}/leaderboard-{board}.json"
            write(folder / name, (recordings / name).read_bytes())
    return folder


@pytest.fixture
def pickled(small: Path) -> Path:
    """A Space with pickles of two eras; none is recorded, so they are written as FastChat did."""
    medians = flat(elo_rating_median=dict.fromkeys(MODELS, 1000))
    write(small / SPACE / "elo_results_20230522.pkl", pickle.dumps(medians))
    late = {"text": {"full": result(), "hard_6_style_control": result()}, "webdev": result("named")}
    write(small / SPACE / "elo_results_20250801.pkl", pickle.dumps(late, 4))
    return small
