"""Holds what the registry says of LMArena's boards to its rules, line by line."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from warehouse.registry.checks import Finding, refuse, spaced, tell

CATEGORIES, LICENSES = "arena_categories.csv", "arena_licenses.csv"
BREAKS, EXCLUSIONS = "arena_scale_breaks.csv", "arena_exclusions.csv"


def check_arena(
    categories: pl.DataFrame,
    exclusions: pl.DataFrame,
    licenses: pl.DataFrame,
    breaks: pl.DataFrame,
) -> None:
    """Raises RegistryError with every finding in the arena_*.csv files.

    Frames as `read_registry` gives them: the contract's columns, typed, in the file's order.
    License labels are compared as they are written: `Open` and `open` are two labels.
    """
    categories, exclusions, licenses, breaks = (
        frame.with_row_index("line", offset=2)  # line 1 is the header; no cell holds a line break
        for frame in (categories, exclusions, licenses, breaks)
    )
    reference = pl.col("reference")
    refuse(
        [
            *_common(CATEGORIES, categories, ["source_category"]),
            *_common(EXCLUSIONS, exclusions, ["name"]),
            *_common(LICENSES, licenses, ["license"]),
            *_common(BREAKS, breaks, ["board", "category", "publish_date"]),
            *_renamed_again(categories),
            *tell(
                BREAKS,
                breaks.filter(~reference.str.starts_with("https://")),
                "a reference that is no https address",
            ),
        ]
    )


def _common(name: str, frame: pl.DataFrame, key: list[str]) -> Iterator[Finding]:
    """Blanks around cells, line breaks, order, and keys that stand there twice."""
    yield from spaced(name, frame)
    broken = pl.any_horizontal(pl.col(pl.String).str.contains("\n", literal=True))
    yield from tell(name, frame.filter(broken), "a line break in a cell")
    due = frame.sort(key, maintain_order=True)["line"]
    wrong = frame.filter(due != frame["line"])
    if not wrong.is_empty():
        yield name, int(wrong["line"][0]), f"not in the order of {', '.join(key)}"
    again = frame.filter(~pl.struct(key).is_first_distinct())
    yield from tell(name, again, f"the same {', '.join(key)} stands there already")


def _renamed_again(categories: pl.DataFrame) -> Iterator[Finding]:
    """A name given to a category must not itself be one that is renamed."""
    moved = categories.filter(pl.col("source_category") != pl.col("category"))
    names = moved["source_category"].to_list()
    yield from tell(
        CATEGORIES, categories.filter(pl.col("category").is_in(names)), "is renamed itself"
    )
