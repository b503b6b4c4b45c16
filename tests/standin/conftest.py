"""Fixtures of the tests of the stand-in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.standin import StandIn
from tests.support.standin_client import (
    write,
    write_hub,
)


@pytest.fixture(scope="module")
def recordings() -> Path:
    """The folder of real recordings; tests that need it are skipped if it is missing."""
    folder = Path(os.environ.get("OBSERVATORY_RECORDINGS", ROOT.parent / "shared" / "archive"))
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip(f"no recordings at {folder} (set OBSERVATORY_RECORDINGS)")
    return folder


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Every source in a few bytes, with invented dates, subsets and editions."""
    folder = tmp_path / "recordings"
    write_hub(folder)
    data = folder / "lmarena/leaderboard-dataset"
    write(data / "singing_style_control/full-00000-of-00001.parquet", b"PAR1" + bytes(range(200)))
    write(data / "singing_style_control/latest-00000-of-00001.parquet", b"PAR1 latest")
    write(data / "README.md", "# Boards\n")
    write(folder / "lmarena/space/leaderboard_table_20310101.csv", "key,Model\na,A\n")
    for day, names in {"2030-02-01": ["text"], "2030-03-01": ["text", "image"]}.items():
        for name in names:
            board = json.dumps({"full": {day: {"rating": 1000.5}}})
            write(folder / f"lmarena/arena-catalog/{day}/leaderboard-{name}.json", board)
    for day, names in {
        "2030-01-01": ["notable_ai_models", "all_ai_models"],
        "2030-06-01": ["notable_ai_models", "epoch_capabilities_index"],
    }.items():
        for name in names:
            write(folder / f"epoch/{day}/{name}.csv", f"Model,Day\n{name},{day}\n")
    write(folder / "ai_index/2031/1. Research/Data/fig_1.1.1.csv", b"Year,N\r\n2030,1\r\n")
    write(folder / "ai_index/2031/2. Säule/Data/fig_2.1.1.csv", b"\xff not UTF-8")
    write(folder / "ai_index/2031/figure_catalog.csv", "figure\n")
    return folder


@pytest.fixture
def standin(tiny: Path) -> Iterator[StandIn]:
    with StandIn(tiny) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
