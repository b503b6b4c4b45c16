"""Sums across rows: the same bits in any order, and no module of transforms adds up by itself."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.support.frames import PROPERTY
from transforms.numeric.exact_sums import exactly, how_many, mean, rate, running, total

TRANSFORMS = ROOT / "transforms"

# Whose result depends on the order in which floats of several rows are added or multiplied.
ADDING = {
    *("sum", "mean", "var", "std", "dot", "product", "cum_sum", "cum_prod", "corr", "cov", "skew"),
    *("kurtosis", "entropy", "fsum", "reduce", "pivot", "rolling_corr", "rolling_cov"),
    *(f"rolling_{name}{by}" for name in ("sum", "mean", "var", "std") for by in ("", "_by")),
    *("ewm_mean", "ewm_mean_by", "ewm_std", "ewm_var"),
}


def wrong(source: str) -> Iterator[str]:
    """Line and text of every expression of a module that may differ from run to run."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)):
                is_wrong = name in ADDING or (name == "unique" and _picks_any(node))
            case ast.Call(func=ast.Name(id=name)):
                is_wrong = name == "sum"
            # The last bit of these two depends on the number of rows, and on the place of the row.
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                is_wrong = _rounds_anew(right) and not _plain(left)
            case ast.BinOp(left=left, op=ast.Pow()):
                is_wrong = not isinstance(left, ast.Constant)
            case _:
                is_wrong = False
        if is_wrong:
            yield f"{node.lineno}: {ast.unparse(node)}"


def _picks_any(unique: ast.Call) -> bool:
    """Of rows that are equal in some columns; not to say which one stays is to take any."""
    said = {keyword.arg: ast.unparse(keyword.value) for keyword in unique.keywords}
    return bool(unique.args or "subset" in said) and said.get("keep", "'any'") == "'any'"


def _rounds_anew(divisor: ast.expr) -> bool:
    """A number or the name of one; to divide by a power of two is exact."""
    match divisor:
        case ast.Constant(value=int() | float() as value):
            return math.frexp(value)[0] != 0.5
        case ast.Name(id=name):
            return name.isupper()
        case _:
            return False


def _plain(node: ast.expr) -> bool:
    """Made of numbers alone: Python divides those, in one way."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return all(name.isupper() or name == "math" for name in names)


MODULES = sorted(p for p in TRANSFORMS.rglob("*.py") if p.name != "exact_sums.py")


@pytest.mark.parametrize("module", MODULES, ids=lambda p: p.relative_to(TRANSFORMS).as_posix())
def test_transforms_sum_rows_only_with_exact_sums(module: Path) -> None:
    found = list(wrong(module.read_text("utf-8")))
    assert not found, "transforms.numeric.exact_sums has what is the same bits on every machine"


@pytest.mark.parametrize(
    "planted",
    [
        'pl.col("weight").sum()',
        'frame.group_by("a").agg(pl.col("b").mean())',
        "pl.sum('weight')",
        'shares.filter("x").select(pl.all()).sum()',
        'pl.col("share").sort().cum_sum().last()',
        'pl.col("a").dot("b")',
        "sum(frame['a'])",
        'pl.col("a").list.sum()',
        'frame.unique("a", keep="any")',
        'frame.unique(["a", "b"])',
        'pl.col("days") / 30.4375',
        'pl.col("days") / DAYS_A_MONTH',
        'pl.col("share") ** 2',
    ],
)
def test_inexact_operations_are_found(planted: str) -> None:
    assert list(wrong(f"def table(frame):\n    return {planted}"))


def test_exact_helpers_and_sums_within_a_row_are_allowed() -> None:
    held = ["exactly(pl.col('a'))", "pl.sum_horizontal('a', 'b')", "1 / pl.col('a')", "a / 2"]
    assert not [fault for source in held for fault in wrong(source)]


# What the project adds up: counts to 2**53 and parts of them down to a billionth.
FLOATS = st.one_of(
    st.floats(-1.0, 1.0),
    st.floats(-(2.0**53), 2.0**53),
    st.integers(1, 10**6).map(lambda n: 1 / n),
)
COLUMN = st.lists(st.one_of(st.none(), FLOATS), max_size=30)


def sums(values: list[float | None], **more: object) -> pl.DataFrame:
    frame = pl.DataFrame({"value": values}, schema={"value": pl.Float64})
    value = pl.col("value")
    return frame.lazy().select(exactly(value).alias("sum"), mean(value)).collect(**more)


@PROPERTY
@given(COLUMN, st.randoms(use_true_random=False))
def test_a_sum_is_bit_identical_in_any_order_and_rounded_once(
    values: list[float | None], random: Random
) -> None:
    found = sums(values)
    mixed = random.sample(values, len(values))
    assert sums(mixed).equals(found)
    assert sums(mixed, engine="streaming").equals(found)
    true = sum(Fraction(v) for v in values if v is not None)
    off = abs(Fraction(found["sum"][0]) - true)
    assert off <= Fraction(math.ulp(float(true))) / 2 + len(values) * Fraction(1, 2**61)


@PROPERTY
@given(st.lists(FLOATS, min_size=1, max_size=30), st.integers(1, 4))
def test_a_sum_by_group_is_that_of_the_group_alone(values: list[float], groups: int) -> None:
    frame = pl.DataFrame({"value": values}).with_columns(group=pl.int_range(pl.len()) % groups)
    value = exactly(pl.col("value"))
    by_group = dict(frame.group_by("group").agg(value).iter_rows())
    over = frame.select("group", value.over("group"))
    assert dict(over.iter_rows()) == by_group
    for (group,), rows in frame.group_by("group"):
        assert rows.select(value).item() == by_group[group]


def test_an_empty_sum_is_zero_and_an_empty_mean_is_null() -> None:
    empty = pl.DataFrame({"f": [None], "i": [None], "b": [None]}).cast(
        {"f": pl.Float64, "i": pl.Int32, "b": pl.Boolean}
    )
    found = empty.select(
        exactly(pl.col("f")).alias("exactly"),
        mean(pl.col("f")).alias("mean"),
        total(pl.col("i")).alias("total"),
        how_many(pl.col("b")).alias("how_many"),
        rate(pl.col("b")).alias("rate"),
    )
    assert found.row(0, named=True) == {
        "exactly": 0.0, "mean": None, "total": 0, "how_many": 0, "rate": None,
    }  # fmt: skip


def test_sums_of_integers_and_conditions_ignore_nulls() -> None:
    frame = pl.DataFrame({"i": [2, None, 3], "b": [True, None, False]})
    assert frame.select(total(pl.col("i"))).item() == 5
    assert frame.select(running(pl.col("i"))).to_series().to_list() == [2, None, 5]
    assert frame.select(how_many(pl.col("b"))).item() == 1
    assert frame.select(rate(pl.col("b"))).item() == 0.5


@pytest.mark.parametrize("helper", [total, running, how_many, rate])
def test_sums_of_integers_reject_floats(
    helper: Callable[[pl.Expr], pl.Expr],
) -> None:
    with pytest.raises(pl.exceptions.PolarsError):
        pl.DataFrame({"value": [0.5]}).select(helper(pl.col("value")))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2.0**67])
def test_a_sum_that_cannot_be_exact_is_an_error(value: float) -> None:
    with pytest.raises(pl.exceptions.PolarsError):
        sums([1.0, value])
