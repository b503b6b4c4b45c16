"""`observatory votes`: ratings from public votes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.terminal import AsJson, day_of, guarded, print_json, print_line, print_rows

VoteFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE", exists=True, dir_okay=False, help="Parquet, CSV, JSON or NDJSON."
    ),
]
Beside = Annotated[
    Path | None,
    typer.Option(
        "--warehouse", metavar="FILE", help="Hold the ratings against a board of this warehouse."
    ),
]
Board = Annotated[str | None, typer.Option(help="Which board of the warehouse; default: text.")]
Category = Annotated[str | None, typer.Option(help="Which category of it; default: overall.")]
BoardDay = Annotated[
    date | None,
    typer.Option(
        "--date", parser=day_of, metavar="DATE", help="The board as last published up to DATE."
    ),
]
Reweighted = Annotated[
    bool, typer.Option(help="Weigh pairs down that met often, as boards do since 2025-07-23.")
]
MinPairCount = Annotated[
    int, typer.Option(min=1, help="Re-weighted, rarer pairs weigh as if met so often.")
]
Anchor = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL=POINTS",
        help="Fixes the scale. Default: mixtral-8x7b-instruct-v0.1=1114 as the boards; the "
        "mean of all = 1000 where that was not rated.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the ratings there, .parquet or .csv."),
]
SetAside = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write damaged records there, .parquet or .csv, and go on without them. Without "
        "this one damaged record is an error.",
    ),
]


def votes(
    files: VoteFiles,
    warehouse: Beside = None,
    board: Board = None,
    category: Category = None,
    day: BoardDay = None,
    reweighted: Reweighted = True,
    min_pair_count: MinPairCount = 50,
    anchor: Anchor = None,
    table: Out = None,
    set_aside: SetAside = None,
    as_json: AsJson = False,
) -> None:
    """Rate models from public votes, with arena-rank: a plausibility check, never a source.

    Winner labels that nobody has reviewed are refused, never taken for ties.
    """
    with guarded(as_json):
        from flows.votes import Method, board_of, parse_anchor, rate_files  # noqa: PLC0415

        method = Method(reweighted, min_pair_count, parse_anchor(anchor))
        beside = board_of(warehouse, board, category, day)
        told = rate_files(files, method, beside, table, set_aside)
        if as_json:
            print_json(told)
        else:
            _tell_ratings(told)


def _tell_ratings(told: dict[str, Any]) -> None:
    print_line(f"{told['records']:,} records, {told['counted']:,} battles counted")
    if told["not_counted"]:
        print_rows("not counted", told["not_counted"])
    print_line(", ".join(f"{k} {v}" for k, v in told["method"].items()))
    rows = [
        {k: f"{v:.1f}" if isinstance(v, float) else v for k, v in row.items() if k != "why_unrated"}
        for row in told["ratings"]
        if row["why_unrated"] is None
    ]
    print_rows("ratings", rows)
    if unrated := [r for r in told["ratings"] if r["why_unrated"]]:
        print_rows(
            "not rated", [{k: r[k] for k in ("model", "n_battles", "why_unrated")} for r in unrated]
        )
    if told["board"]:
        print_rows("beside the board", [told["board"]])
