"""The figures of published tables against the recorded tables."""

from __future__ import annotations

import csv

import pytest

from tests.conftest import ROOT
from warehouse.claims.read import claims
from warehouse.registry.load import read_registry

RECORDED = ROOT.parent / "shared" / "archive2" / "vbench" / "goku_readme_table.csv"


def test_vbench_scores_are_those_of_the_recorded_table() -> None:
    if not RECORDED.exists():
        pytest.skip("the recorded table is not part of the repository")
    with RECORDED.open(encoding="utf-8") as file:
        printed = {row["method"]: float(row["total_score"]) for row in csv.DictReader(file)}
    kept = read_registry("published_figures").filter(figure_id="goku-vbench-total")
    found = dict(kept.select("subject", "value").iter_rows())
    assert found == {name.removesuffix(" (ours)"): score for name, score in printed.items()}


def test_every_compared_figure_is_in_its_table() -> None:
    rows = read_registry("published_figures").select("figure_id", "subject").iter_rows()
    kept = set(rows)
    for claim in claims():
        for _, _, test in claim.trials():
            if test.model_dump()["test"] == "published_lead":
                named = [test.model_dump()[side] for side in ("subject", "other")]
                table = test.model_dump()["figure_id"]
                assert {(table, name) for name in named if name != "*"} <= kept, claim.id
