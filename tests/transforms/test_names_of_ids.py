"""Every id of a lab, country or family in a published mart has its name beside it."""

from __future__ import annotations

import re

import pytest

from tests.support.boards import LABS
from transforms.registry.display_names import lab_names, with_names
from warehouse.contracts.table import Contract, contracts

HOLDERS = {"holder", "previous_holder", "rival_holder", "rival", "first_reached_by"}
MARTS = [c for c in contracts().values() if c.layer == "mart" and c.published]


def name_of(column: str) -> str | None:
    """The column that must hold the name of an id; None for other columns."""
    if column in HOLDERS:
        return f"{column}_name"
    named = re.sub(r"(^|_)(lab|family)_id$|(^|_)country_code$", _name, column)
    return named if named != column else None


def _name(found: re.Match[str]) -> str:
    return f"{found[1] or found[3] or ''}{found[2] or 'country'}_name"


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)
def test_every_id_has_its_name_beside_it(mart: Contract) -> None:
    assert {n for c in mart.columns if (n := name_of(c))} <= set(mart.columns)


def test_a_name_is_that_of_the_id_and_null_for_an_unknown_id() -> None:
    holders = LABS.select(holder="lab_id").head(1)
    named = with_names(holders, lab_names(LABS), holder_name="holder").collect()
    assert named.rows() == [("alpha", "Alpha")]
    unknown = with_names(holders, lab_names(LABS.clear()), holder_name="holder").collect()
    assert unknown.rows() == [("alpha", None)]
