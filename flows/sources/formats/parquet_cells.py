"""Cells of Parquet files whose types change from file to file, as text in our formats."""

from __future__ import annotations

from collections.abc import Mapping

from warehouse.contracts.table import quote

_MOMENT = "'%Y-%m-%dT%H:%M:%S.%fZ'"


def as_text(column: str | None, kinds: Mapping[str, str]) -> str:
    """SQL of a column of the file as text in the format of our contracts; null without a column.

    `kinds` are DuckDB's types by column. Times without a zone are UTC. Whole numbers in a column of
    floats (which pandas uses for integers with gaps) are written without a fraction, and its NaN is
    null. The elements of a list are joined.
    """
    if column is None:
        return "NULL::VARCHAR"
    value, kind = quote(column), kinds[column]
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime(timezone('UTC', {value}), {_MOMENT})"
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return f"strftime({value}::TIMESTAMP, {_MOMENT})"
    if kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        is_whole = f"{value} = trunc({value}) AND abs({value}) < 9e15"
        text = f"CASE WHEN {is_whole} THEN {value}::BIGINT::VARCHAR ELSE {value}::VARCHAR END"
        return f"CASE WHEN NOT isnan({value}::DOUBLE) THEN {text} END"
    if kind.endswith("[]"):
        return f"nullif(array_to_string({value}::VARCHAR[], '; '), '')"
    return f"{value}::VARCHAR"
