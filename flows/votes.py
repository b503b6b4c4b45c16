"""Ratings from public votes, by `arena-rank` (the extra `votes`), and how like the board they are.

Public votes are samples, so what comes out is a plausibility check of method and order, never a
source: nothing of it goes into a warehouse.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from transforms import votes as rules
from transforms.votes import VotesError
from warehouse.database import WarehouseError, open_read_only

ANCHOR = ("mixtral-8x7b-instruct-v0.1", 1114.0)  # the board's own
MEAN = 1000.0
TEXT = dict.fromkeys(rules.COLUMNS, pl.String)
# arena-rank adds this to the diagonal of the Hessian, unweighted times the number of votes. Its
# 1e-5 then outweighs what rare models have: of 1 M simulated votes 95 % intervals held the truth
# in 87 % of the cases for models with some 120 battles, in 93 % for the others; with 1e-7 in 94
# and 96 %. Re-weighted it is not scaled: there 1e-5 is right and less is unstable.
REGULARISATION = {True: 1e-5, False: 1e-7}
FTOL = 1e-12  # 1e-9, relative to the mean loss, stops too early for rare models of millions
INSTALL = (
    "in a checkout: `make votes`, then call with PYTHONPATH=.venv/votes; "
    "elsewhere: pip install 'origin-observatory[votes]'"
)


class VotesCallError(ValueError):
    """A call for ratings that cannot be served as it is."""


@dataclass(frozen=True)
class Method:
    """How to rate. The site weighs pairs down since 2025-07-23; boards before it did not."""

    reweighted: bool = True
    min_pair_count: int = 50  # re-weighted, pairs met less often weigh as if met so often
    anchor: tuple[str, float] | None = None  # null: ANCHOR where it was rated, else the mean


@dataclass(frozen=True)
class Board:
    """A published board to hold the ratings against: its last publish date up to `day`."""

    warehouse: Path
    board: str
    category: str
    day: date | None


def board_of(
    warehouse: Path | None, board: str | None, category: str | None, day: date | None
) -> Board | None:
    """The board that a call names; text and overall where it only names the warehouse."""
    if warehouse is None:
        if board or category or day:
            raise VotesCallError("a board, category or date is looked up in a --warehouse FILE")
        return None
    return Board(warehouse, board or "text", category or "overall", day)


def parse_anchor(text: str | None) -> tuple[str, float] | None:
    """`MODEL=POINTS` taken apart. Raises VotesCallError."""
    if text is None:
        return None
    model, _, points = text.rpartition("=")
    try:
        if model and math.isfinite(float(points)):
            return model, float(points)
    except ValueError:
        pass
    raise VotesCallError(f"{text!r} is no anchor; write MODEL=POINTS")


def rate_files(
    files: Sequence[Path],
    method: Method,
    board: Board | None = None,
    table: Path | None = None,
    set_aside: Path | None = None,
) -> dict[str, Any]:
    """Reads the files, rates, compares and writes what was asked for; what there is to tell.

    `set_aside` takes the damaged records; without it one of them is an error.
    """
    for path in filter(None, (table, set_aside)):
        _check_writable(path, files)
    votes = read_votes(files)
    if set_aside is None:
        raise_for_refused(votes)
    else:
        write(refused(votes), set_aside)
    ratings, stated = rate(votes, method)
    likeness = None
    if board is not None:
        ratings, likeness = beside_board(ratings, board)
    if table is not None:
        write(ratings, table)
    left_out = rules.tally(votes.filter(pl.col("reason").is_not_null()), "reason").to_dicts()
    return {
        "files": [str(path) for path in files],
        "records": votes.height,
        "counted": votes.height - sum(r["n"] for r in left_out),
        "not_counted": left_out,
        "method": stated,
        "ratings": ratings.to_dicts(),
        "board": likeness,
    }


def read_votes(files: Sequence[Path]) -> pl.DataFrame:
    """One row per record of all files: file, and the columns of `transforms.votes.outcomes`.

    Raises VotesCallError for a file given twice or of an unknown kind, VotesError for one that
    cannot be read or holds unknown winner labels.
    """
    _no_copies(files)
    frames = [_one_file(path).insert_column(0, pl.lit(str(path)).alias("file")) for path in files]
    votes = rules.without_repeats(pl.concat(frames))
    unknown = votes.filter(pl.col("reason") == rules.UNKNOWN_LABEL)
    if unknown.height:
        told = [f"{r['label']!r} ({r['n']:,})" for r in _top(unknown, "label")]
        raise VotesError(
            f"{unknown.height:,} records have winner labels that nobody has reviewed: "
            f"{', '.join(told)}; known are {', '.join(rules.OUTCOMES)}. None is taken for a tie: "
            "find out what it means, then add it to OUTCOMES in transforms/votes.py"
        )
    return votes


def _top(votes: pl.DataFrame, *by: str) -> list[dict[str, Any]]:
    return rules.tally(votes, *by).head(10).to_dicts()


def _no_copies(files: Sequence[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in files:
        with path.open("rb") as stream:
            digest = file_digest(stream, "sha256").hexdigest()
        if digest in seen:
            raise VotesCallError(f"{path} holds the same bytes as {seen[digest]}: votes count once")
        seen[digest] = path


def _one_file(path: Path) -> pl.DataFrame:
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise VotesCallError(f"{path}: no votes of this kind; there are {', '.join(READERS)}")
    try:
        return rules.outcomes(read(path))
    except (PolarsError, VotesError) as error:
        raise VotesError(f"{path}: {error}") from error


def _columns(frame: pl.LazyFrame) -> pl.DataFrame:
    """The columns we know, as text; conversations stay on the disk."""
    held = frame.collect_schema()
    return frame.select(pl.col(c).cast(pl.String) for c in rules.COLUMNS if c in held).collect()


def _csv(path: Path) -> pl.DataFrame:
    return _columns(pl.scan_csv(path, infer_schema=False, glob=False))


def _parquet(path: Path) -> pl.DataFrame:
    return _columns(pl.scan_parquet(path, glob=False))


def _json(path: Path) -> pl.DataFrame:
    """An array of records, or one a line. A field that no record has is no column."""
    with path.open("rb") as stream:
        is_array = stream.read(4096).lstrip()[:1] == b"["
    frame = (pl.read_json if is_array else pl.read_ndjson)(path, schema=TEXT)
    return frame.select(c.name for c in frame if c.null_count() < frame.height)


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".json": _json,
    ".jsonl": _json,
    ".ndjson": _json,
}


def refused(votes: pl.DataFrame) -> pl.DataFrame:
    """The damaged records: those not counted, but for votes on models that the voter knew."""
    return votes.filter(pl.col("reason").is_not_null() & (pl.col("reason") != rules.KNOWN))


def raise_for_refused(votes: pl.DataFrame) -> None:
    """Raises VotesError that names every reason, its records and the first of them."""
    bad = refused(votes)
    if bad.is_empty():
        return
    first = bad.group_by("reason").agg(pl.col("file", "record").first(), pl.len())
    told = [
        f"{n:,} × {reason} (first: {file}, record {record:,})"
        for reason, file, record, n in first.sort("reason").iter_rows()
    ]
    raise VotesError(
        f"{bad.height:,} of {votes.height:,} records cannot be counted: {'; '.join(told)}; "
        "--set-aside FILE writes them there and goes on without them"
    )


def rate(votes: pl.DataFrame, method: Method) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Bradley–Terry ratings of the counted records, and a statement of the method.

    One row per model, best first: model, rating, lower, upper (95 %, sandwich), variance,
    n_battles, why_unrated (null = rated). Raises VotesCallError without arena-rank or for an
    anchor that is not rated, VotesError where no two models can be compared.
    """
    counted = votes.filter(pl.col("reason").is_null()).select(*rules.MODELS, "outcome")
    rated = rules.rated_models(counted)
    if len(rated) < 2:
        raise VotesError("no two models took points from each other: there is nothing to rate")
    anchor = _anchor(method.anchor, rated)
    both = pl.all_horizontal(pl.col(c).is_in(list(rated)) for c in rules.MODELS)
    ratings = rules.anchored(_fit(counted.filter(both), method), *anchor)
    why = pl.when(pl.col("rating").is_null()).then(
        pl.lit("took no point from the others, gave none to them, or never met them")
    )
    table = (
        rules.battles_of(counted)
        .join(ratings, on="model", how="left")
        .select(
            "model", "rating", "lower", "upper", "variance", "n_battles", why.alias("why_unrated")
        )
        .sort(pl.col("rating").neg(), "model", nulls_last=True)
    )
    return table, _statement(method, anchor)


def _anchor(given: tuple[str, float] | None, rated: set[str]) -> tuple[str | None, float]:
    if given is None:
        return ANCHOR if ANCHOR[0] in rated else (None, MEAN)
    if given[0] not in rated:
        raise VotesCallError(f"the anchor {given[0]!r} is none of the {len(rated)} rated models")
    return given


def _statement(method: Method, anchor: tuple[str | None, float]) -> dict[str, Any]:
    return {
        "model": "Bradley–Terry, ties as half a win, 400 points = odds of 10",
        "by": f"arena-rank {version('arena-rank')}",
        "reweighted": method.reweighted,
        "min_pair_count": method.min_pair_count if method.reweighted else None,
        "anchor": anchor[0] or "mean of the rated models",
        "anchor_points": anchor[1],
    }


def _fit(battles: pl.DataFrame, method: Method) -> pl.DataFrame:
    """Columns model, rating, lower, upper, variance; the rows' order does not matter."""
    dataset_of, bradley_terry = _arena_rank()
    dataset = dataset_of.from_pandas(
        battles.sort(pl.all()).to_pandas(),
        outcome_col="outcome",
        outcome_map=float,  # ours are numbers already; the default takes any unknown for a tie
        reweighted=method.reweighted,
        min_pair_count=method.min_pair_count,
    )
    found = bradley_terry(
        len(dataset.competitors), hessian_reg=REGULARISATION[method.reweighted], ftol=FTOL
    ).compute_ratings_and_cis(dataset, significance_level=0.05, ci_method="sandwich")
    numbers = {
        ours: [float(x) for x in found[theirs]]
        for ours, theirs in (
            ("rating", "ratings"),
            ("lower", "rating_lower"),
            ("upper", "rating_upper"),
            ("variance", "variances"),
        )
    }
    table = pl.DataFrame({"model": found["competitors"], **numbers})
    if not table.select(pl.all_horizontal(pl.col(*numbers).is_finite().all())).item():
        raise VotesError("arena-rank found no finite ratings for these votes")
    return table


def _arena_rank() -> tuple[Any, Any]:
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # jax would look for accelerators, also outside
    try:
        from arena_rank.models.bradley_terry import BradleyTerry  # noqa: PLC0415
        from arena_rank.utils.data_utils import PairDataset  # noqa: PLC0415
    except ImportError as error:
        raise VotesCallError(f"arena-rank is not there ({error}); {INSTALL}") from error
    return PairDataset, BradleyTerry


def beside_board(ratings: pl.DataFrame, board: Board) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The ratings with the board's `rating_arena`; how like they are.

    Models meet by name in lower case or by the reviewed names of core.model_identities.
    Spearman's rank correlation is null below three models. Raises WarehouseError if there is no
    such board.
    """
    asked = {"board": board.board, "category": board.category, "day": board.day}
    with open_read_only(board.warehouse) as con:
        published = con.sql(ON_BOARD, params=asked).pl()
        names = con.sql(NAMES).pl()
    if published.is_empty():
        up_to = f" up to {board.day}" if board.day else ""
        raise WarehouseError(
            f"{board.warehouse} holds no ratings of {board.board} / {board.category}{up_to}"
        )
    held = published.select("model_id", "rating_arena")
    meeting = (
        _named(ratings, names, published)
        .join(held, on="model_id")
        .sort(pl.col("n_battles").neg(), "model")
        .unique("model_id", keep="first", maintain_order=True)
        .select("model", "rating_arena")
    )
    table = ratings.join(meeting, on="model", how="left", maintain_order="left")
    return table, {
        "board": board.board,
        "category": board.category,
        "publish_date": published["publish_date"][0],
        "models_on_board": published.height,
        **_likeness(table),
        "note": "Public votes are samples: a plausibility check, never a source.",
    }


ON_BOARD = """
    SELECT lower(model_name_arena) AS name, model_id, publish_date, rating_arena
    FROM core.arena_ratings
    WHERE board = $board AND category = $category AND rating_arena IS NOT NULL
    QUALIFY publish_date = max(publish_date) FILTER (publish_date <= coalesce($day, publish_date))
        OVER ()
    ORDER BY ALL"""
NAMES = """
    SELECT DISTINCT lower(name) AS name, model_id
    FROM core.model_identities WHERE system = 'lmarena'"""


def _named(ratings: pl.DataFrame, names: pl.DataFrame, published: pl.DataFrame) -> pl.DataFrame:
    """The rated models with the model_ids that their name stands for."""
    known = pl.concat([names, published.select("name", "model_id")]).unique()
    rated = ratings.filter(pl.col("rating").is_not_null())
    return rated.with_columns(name=pl.col("model").str.to_lowercase()).join(known, on="name")


def _likeness(table: pl.DataFrame) -> dict[str, Any]:
    rated = table.filter(pl.col("rating").is_not_null())
    common = rated.filter(pl.col("rating_arena").is_not_null())
    rho = None
    if common.height >= 3:
        rho = common.select(pl.corr("rating", "rating_arena", method="spearman")).item()
    return {
        "models_rated": rated.height,
        "models_common": common.height,
        "spearman": rho if rho is not None and math.isfinite(rho) else None,
    }


def _check_writable(path: Path, inputs: Sequence[Path]) -> None:
    """Raises VotesCallError for a name that says no known format, or that is one of the inputs."""
    if path.suffix.lower() not in WRITERS:
        raise VotesCallError(f"{path}: write to a file named {' or '.join(WRITERS)}")
    if path.resolve() in {p.resolve() for p in inputs}:
        raise VotesCallError(f"{path} holds votes; it is not written over")


def write(frame: pl.DataFrame, path: Path) -> None:
    """Writes a table whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        WRITERS[path.suffix.lower()](frame, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".csv": lambda frame, path: frame.write_csv(path),
}
