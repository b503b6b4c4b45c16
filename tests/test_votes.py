"""Ratings from public votes: what counts as a vote, and what arena-rank makes of known strengths.

The second half needs the extra `votes` (`make votes`, then PYTHONPATH=.venv/votes; `.ci/run` does).
"""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from datetime import date
from importlib.util import find_spec
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from flows import votes as flow
from flows.cli import app
from flows.votes import Board, Method, VotesCallError
from tests.conftest import ROOT
from tests.frames import PROPERTY, rows
from tests.test_cli import HOSTILE, assert_inert
from transforms import votes as rules
from transforms.votes import OUTCOMES, VotesError, outcomes, rated_models
from warehouse.contract import contract
from warehouse.database import WarehouseError, create, insert_frame

needs_arena_rank = pytest.mark.skipif(
    find_spec("arena_rank") is None,
    reason="arena-rank is not installed (`make votes`, then PYTHONPATH=.venv/votes)",
)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["votes", *map(str, arguments)], env={"COLUMNS": "200"})


def votes(
    *records: tuple[str | None, ...], columns: str = "model_a model_b winner"
) -> pl.DataFrame:
    return pl.DataFrame(records, dict.fromkeys(columns.split(), pl.String), orient="row")


def told(frame: pl.DataFrame) -> list[tuple[float | None, str | None]]:
    return outcomes(frame).select("outcome", "reason").rows()


# --- what a record says --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "points"),
    [("model_a", 1), ("model_b", 0), ("tie", 0.5), ("tie (bothbad)", 0.5), ("both_bad", 0.5)],
)
def test_every_label_of_the_vote_sets_has_its_points(label: str, points: float) -> None:
    assert told(votes(("x", "y", label))) == [(points, None)]


@PROPERTY
@given(st.text().filter(lambda text: text not in OUTCOMES))
def test_no_other_label_is_given_points(label: str) -> None:
    assert told(votes(("x", "y", label))) == [(None, rules.UNKNOWN_LABEL)]


@pytest.mark.parametrize("label", ["Tie", "tie ", "both bad", "bothbad", "", "model_A", "0.5"])
def test_what_looks_like_a_label_is_not_taken_for_it(label: str) -> None:
    assert told(votes(("x", "y", label))) == [(None, rules.UNKNOWN_LABEL)]


@pytest.mark.parametrize("flags", [*product(["0", "1", None, "2", "yes"], repeat=3)], ids=str)
def test_one_hot_columns_count_where_exactly_one_is_set(flags: tuple[str | None, ...]) -> None:
    points = {("1", "0", "0"): 1, ("0", "1", "0"): 0, ("0", "0", "1"): 0.5}.get(flags)  # type: ignore[call-overload]
    frame = votes(("x", "y", *flags), columns=f"model_a model_b {' '.join(rules.ONE_HOT)}")
    assert told(frame) == [(points, None if points is not None else "not exactly one winner")]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ("model_a winner", "no column model_b"),
        ("winner", "no column model_a and no column model_b"),
        ("model_a model_b", "there is neither"),
        ("model_a model_b winner_model_a winner_tie", "there is winner_model_a, winner_tie"),
        (f"model_a model_b winner {' '.join(rules.ONE_HOT)}", "not in both"),
    ],
)
def test_a_set_without_models_or_one_kind_of_winner_is_refused(columns: str, told: str) -> None:
    with pytest.raises(VotesError, match=told):
        outcomes(votes(columns=columns))


def test_damaged_records_are_named_one_by_one() -> None:
    frame = votes(
        ("x", "y", "tie"),
        (None, "y", "tie"),
        ("x", " ", "model_a"),
        ("x", "x", "model_a"),
        ("x", "y", None),
        ("x", "", "nonsense"),
    )
    assert told(frame) == [
        (0.5, None),
        (None, "no model"),
        (None, "no model"),
        (None, "a model against itself"),
        (None, "no winner"),
        (None, "no model"),
    ]
    assert outcomes(frame)["record"].to_list() == [1, 2, 3, 4, 5, 6]


def test_only_votes_by_voters_who_did_not_know_the_models_count() -> None:
    frame = votes(
        ("x", "y", "tie", "true"),
        ("x", "y", "no label of ours", "False"),
        ("x", "y", "tie", None),
        columns="model_a model_b winner anony",
    )
    assert told(frame) == [
        (0.5, None),
        (None, rules.KNOWN),
        (None, "whether the voter knew the models is not said"),
    ]
    assert flow.refused(outcomes(frame)).height == 1


def test_the_same_battle_counts_once_and_the_same_id_of_another_battle_counts() -> None:
    frame = votes(
        ("7", "x", "y", "tie"),
        ("7", "x", "z", "tie"),
        ("7", "x", "y", "tie"),
        (None, "x", "y", "tie"),
        (None, "x", "y", "tie"),
        ("8", "x", "x", "tie"),
        ("8", "x", "x", "tie"),
        columns="id model_a model_b winner",
    )
    marked = rules.without_repeats(outcomes(frame))["reason"].to_list()
    assert marked == [None, None, rules.REPEATED, None, None, *["a model against itself"] * 2]


# --- which models can be rated -------------------------------------------------------------------


def battles(*pairs: tuple[str, str, float]) -> pl.DataFrame:
    return pl.DataFrame(pairs, ["model_a", "model_b", "outcome"], orient="row")


ROUND = [("a", "b", 1.0), ("b", "c", 1.0), ("c", "a", 1.0)]


@pytest.mark.parametrize(
    ("more", "rated"),
    [
        ([], "abc"),
        ([("d", "a", 1.0)], "abc"),  # never lost
        ([("d", "a", 0.0)], "abc"),  # never won
        ([("a", "d", 0.5)], "abcd"),
        ([("d", "a", 1.0), ("d", "b", 0.0)], "abcd"),
        ([("d", "e", 0.5)], "abc"),  # never met the others
    ],
)
def test_a_model_without_wins_or_losses_has_no_rating(more: Any, rated: str) -> None:
    assert rated_models(battles(*ROUND, *more)) == set(rated)


@PROPERTY
@given(
    st.lists(
        st.tuples(*[st.sampled_from("abcde")] * 2, st.sampled_from([0.0, 0.5, 1.0])).filter(
            lambda battle: battle[0] != battle[1]
        ),
        min_size=1,
        max_size=12,
    )
)
def test_rated_models_are_those_with_a_finite_maximum(given: Any) -> None:
    """Ford's condition itself: however they are parted, each part took a point from the other."""
    took = {(a, b) for a, b, o in given if o > 0} | {(b, a) for a, b, o in given if o < 1}

    def finite(models: tuple[str, ...]) -> bool:
        parts = [set(p) for n in range(1, len(models)) for p in combinations(models, n)]
        return all(any((a, b) in took for a in p for b in set(models) - p) for p in parts)

    largest = max(len(s) for n in range(1, 6) for s in combinations("abcde", n) if finite(s))
    rated = tuple(sorted(rated_models(battles(*given))))
    assert finite(rated)
    assert len(rated) == largest


# --- files ---------------------------------------------------------------------------------------

WELL = pl.DataFrame(
    {
        "id": [1, 2, 3],
        "model_a": ["x", "y", "z"],
        "model_b": ["y", "z", "x"],
        "winner": ["model_a", "both_bad", "tie (bothbad)"],
        "prompt": ['a\n"quoted", prompt', "=1+1", None],
        "anony": [True, True, False],
    }
)


def write(frame: pl.DataFrame, path: Path) -> Path:
    kind = path.suffix
    if kind in (".json", ".jsonl"):
        lines = [json.dumps({**r, "conversation_a": [{"n": 1}]}) for r in frame.to_dicts()]
        joined = "\n".join(lines) if kind == ".jsonl" else f"\n [{','.join(lines)}]"
        path.write_text(joined, encoding="utf-8")
    elif kind == ".parquet":
        frame.with_columns(conversation_a=pl.lit([{"n": 1}])).write_parquet(path)
    else:
        frame.write_csv(path)
    return path


@pytest.mark.parametrize(
    "name", ["v.parquet", "v.csv", "v.json", "v.jsonl", "[v]*?.csv", "V*.json"]
)
def test_every_kind_of_file_says_the_same(tmp_path: Path, name: str) -> None:
    path = write(WELL, tmp_path / name)
    write(WELL.head(1), tmp_path / f"vv{path.suffix}")  # a pattern would find this one too
    read = flow.read_votes([path])
    assert read.columns[:2] == ["file", "record"]
    assert read.select("battle_id", "model_a", "model_b", "outcome", "reason").rows() == [
        ("1", "x", "y", 1.0, None),
        ("2", "y", "z", 0.5, None),
        ("3", "z", "x", None, rules.KNOWN),
    ]


def test_one_hot_files_say_the_same_as_labels(tmp_path: Path) -> None:
    flags = {"winner_model_a": [1, 0, 0], "winner_model_b": [0, 1, 0], "winner_tie": [0, 0, 1]}
    frame = pl.DataFrame({"model_a": ["x"] * 3, "model_b": ["y"] * 3, **flags})
    for name in ("v.csv", "v.parquet", "v.json"):
        for cast in (pl.Int64, pl.Float64, pl.Boolean):
            path = write(frame.with_columns(pl.col(*flags).cast(cast)), tmp_path / name)
            assert flow.read_votes([path])["outcome"].to_list() == [1.0, 0.0, 0.5], (name, cast)


BROKEN = {
    "empty.csv": b"",
    "empty.parquet": b"",
    "empty.json": b"",
    "cut.json": b'[{"model_a": "x", "model_b"',
    "cut.parquet": b"PAR1 and no more",
    "latin.csv": b"model_a,model_b,winner\nx,y,\xff\n",
    "other.csv": b"a,b\n1,2\n",
    "nested.json": b'[{"model_a": "x", "model_b": "y", "winner": ["tie"]}]',
    "numbers.json": b"[1, 2]",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_holds_no_votes_is_told_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BROKEN[name])
    done = call(tmp_path / name)
    assert (done.exit_code, done.stdout) == (4, "")
    assert name in done.stderr
    assert "Traceback" not in done.output


def test_calls_that_are_wrong_are_told(tmp_path: Path) -> None:
    path, text = write(WELL, tmp_path / "v.csv"), tmp_path / "v.txt"
    shutil.copy(path, text)
    wrong = {
        "does not exist": [tmp_path / "none.csv"],
        "is a directory": [tmp_path],
        "Missing argument": [],
        "no votes of this kind; there are .parquet, .csv": [text],
        "holds the same bytes as": [path, path],
        "'x=much' is no anchor": [path, "--anchor=x=much"],
        "'x=nan' is no anchor": [path, "--anchor=x=nan"],
        "looked up in a --warehouse": [path, "--board=vision"],
        "write to a file named .parquet or .csv": [path, f"--out={tmp_path / 'r.xlsx'}"],
        "is not written over": [path, f"--set-aside={path}"],
    }
    for message, arguments in wrong.items():
        done = call(*arguments)
        assert (done.exit_code, done.stdout) == (2, ""), done.output
        assert message in " ".join(done.stderr.replace("│", " ").split())
    assert {p.name for p in tmp_path.iterdir()} == {"v.csv", "v.txt"}


def test_unknown_labels_stop_the_run_and_are_counted(tmp_path: Path) -> None:
    labels = ["tie", "model_a", "neither", "neither", HOSTILE, "model_b"]
    frame = votes(*(("x", "y", label) for label in labels))
    done = call(write(frame, tmp_path / "v.parquet"), f"--set-aside={tmp_path / 'aside.csv'}")
    assert (done.exit_code, done.stdout) == (4, "")
    assert "3 records have winner labels that nobody has reviewed: 'neither' (2)" in done.stderr
    assert "known are model_a, model_b, tie, tie (bothbad), both_bad" in done.stderr
    assert_inert(done.stderr)
    assert [p.name for p in tmp_path.iterdir()] == ["v.parquet"]


def test_damaged_records_are_an_error_by_default(tmp_path: Path) -> None:
    frame = votes(("x", "y", "tie"), ("x", "x", "tie"), ("z", "z", "tie"), (None, "y", "tie"))
    done = call(write(frame, tmp_path / "v.csv"))
    assert done.exit_code == 4
    assert "3 of 4 records cannot be counted: 2 × a model against itself (first: " in done.stderr
    assert "v.csv, record 2); 1 × no model (first: " in done.stderr
    assert "--set-aside FILE" in done.stderr


def test_one_set_in_two_formats_is_found_by_its_ids(tmp_path: Path) -> None:
    done = call(write(WELL, tmp_path / "v.csv"), write(WELL, tmp_path / "v.parquet"))
    assert done.exit_code == 4
    assert "2 of 6 records cannot be counted: 2 × the same battle once more" in done.stderr
    assert "v.parquet, record 1" in done.stderr


def test_without_arena_rank_the_call_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("arena_rank", "arena_rank.models", "arena_rank.models.bradley_terry"):
        monkeypatch.setitem(sys.modules, module, None)
    done = call(write(votes(("x", "y", "tie")), tmp_path / "v.csv"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "arena-rank is not there" in done.stderr
    assert "pip install 'origin-observatory[votes]'" in done.stderr
    assert "`make votes`" in done.stderr


def test_its_lock_adds_to_the_other_and_shadows_numpy_alone() -> None:
    ours, theirs = (
        set(re.findall(r"^([a-z0-9-]+)==", (ROOT / name).read_text(encoding="utf-8"), flags=re.M))
        for name in ("infra/requirements-votes.txt", "requirements.txt")
    )
    assert {"arena-rank", "jax", "jaxlib"} <= ours
    assert ours & theirs == {"numpy"}


# --- beside the board ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two dates of text / overall; on the second w is new and the others changed places."""
    path = tmp_path_factory.mktemp("warehouse") / "observatory.duckdb"
    shared = {
        "board": "text", "category": "overall", "segment_id": 1, "board_source": "lmarena",
        "has_catalog_rows": False, "n_missing": 0, "is_org_carried": False,
        "snapshot_id": "lmarena/2025-01-02", "is_style_controlled": False, "country_code": "XX",
    }  # fmt: skip
    boards = {date(2025, 1, 1): "X y z", date(2025, 1, 2): "y X z w"}
    ratings = rows(
        "core.arena_ratings",
        *(
            {"publish_date": day, "model_name_arena": name, "model_id": f"id-{name.lower()}",
             "rating_arena": 1400.0 - place}
            for day, names in boards.items()
            for place, name in enumerate(names.split())
        ),
        **shared,
    )  # fmt: skip
    names = rows(
        "core.model_identities",
        {"system": "lmarena", "name": "Z-2025", "model_id": "id-z", "rule": "alias"},
        {"system": "hub", "name": "q", "model_id": "id-x", "rule": "alias"},
    )
    about = {"as_of": date(2025, 1, 2), "known_at": date.max, "is_sample": False}
    build = rows("meta.build", about, code_version="1", code_digest="0")
    with create(path) as con:
        for table, frame in (
            ("core.arena_ratings", ratings), ("core.model_identities", names), ("meta.build", build)
        ):  # fmt: skip
            insert_frame(con, contract(table), frame.collect())
    return path


def rated(*models: str) -> pl.DataFrame:
    """Ratings by hand, best first."""
    return pl.DataFrame(
        {
            "model": models,
            "rating": [1100.0 - i for i in range(len(models))],
            "n_battles": [100] * len(models),
        }
    )


def test_models_meet_the_board_by_name_and_by_reviewed_name(warehouse: Path) -> None:
    table, like = flow.beside_board(
        rated("x", "Y", "z-2025", "q"), Board(warehouse, "text", "overall", date(2025, 1, 1))
    )
    assert table.select("model", "rating_arena").rows() == [
        ("x", 1400.0), ("Y", 1399.0), ("z-2025", 1398.0), ("q", None)
    ]  # fmt: skip
    assert like["publish_date"] == date(2025, 1, 1)
    assert (like["models_rated"], like["models_common"], like["models_on_board"]) == (4, 3, 3)
    assert like["spearman"] == pytest.approx(1)
    assert "never a source" in like["note"]


def test_the_last_date_up_to_the_day_is_taken(warehouse: Path) -> None:
    for day, spearman in ((None, 0.5), (date(2025, 6, 1), 0.5), (date(2025, 1, 1), 1.0)):
        _, like = flow.beside_board(rated("x", "y", "z"), Board(warehouse, "text", "overall", day))
        assert like["spearman"] == pytest.approx(spearman), day


def test_two_models_make_no_correlation_and_one_model_meets_once(warehouse: Path) -> None:
    table, like = flow.beside_board(
        rated("x", "z", "Z-2025"), Board(warehouse, "text", "overall", None)
    )
    assert (like["models_common"], like["spearman"]) == (2, None)
    assert table["rating_arena"].null_count() == 1


@pytest.mark.parametrize(
    ("board", "category", "day"),
    [("vision", "overall", None), ("text", "math", None), ("text", "overall", date(2024, 1, 1))],
)
def test_a_board_that_is_not_there_is_told(
    warehouse: Path, board: str, category: str, day: date | None
) -> None:
    with pytest.raises(WarehouseError, match=f"holds no ratings of {board} / {category}"):
        flow.beside_board(rated("x"), Board(warehouse, board, category, day))


# --- simulated votes with known strengths --------------------------------------------------------

MIXTRAL = "mixtral-8x7b-instruct-v0.1"


def simulate(
    n: int, seed: int, models: int = 40, rare: int = 0
) -> tuple[dict[str, float], pl.DataFrame]:
    """Strengths (mean 0) and n battles by them, with ties that leave the expected points as they
    are. Models are met unevenly, as on the site; the last `rare` ones hardly ever."""
    random = np.random.default_rng(seed)
    strength = random.normal(0, 110, models)
    strength -= strength.mean()
    weight = random.uniform(0.2, 2, models)
    weight[models - rare :] = 0.004
    a, b = random.choice(models, (2, n), p=weight / weight.sum())
    a, b = a[a != b], b[a != b]
    wins = 1 / (1 + 10 ** ((strength[b] - strength[a]) / 400))
    ties, luck = wins * (1 - wins), random.random(len(a))
    drawn = random.choice(["tie", "tie (bothbad)", "both_bad"], len(a))
    winner = np.where(luck < wins + ties / 2, drawn, "model_b")
    winner = np.where(luck < wins - ties / 2, "model_a", winner)
    name = np.array([MIXTRAL, *(f"model-{i:02d}" for i in range(1, models))])
    frame = pl.DataFrame({"model_a": name[a], "model_b": name[b], "winner": winner})
    return dict(zip(name.tolist(), strength.tolist(), strict=True)), frame


def rate(frame: pl.DataFrame, **method: Any) -> pl.DataFrame:
    return flow.rate(outcomes(frame), Method(**method))[0]


def centred(ratings: pl.DataFrame, strength: dict[str, float]) -> pl.DataFrame:
    """With `truth` on the same scale: both have the same mean over the rated models."""
    truth = pl.col("model").replace_strict(strength, return_dtype=pl.Float64)
    return ratings.with_columns(truth=truth - truth.mean() + pl.col("rating").mean())


@pytest.fixture(scope="module")
def simulated() -> tuple[dict[str, float], pl.DataFrame]:
    return simulate(100_000, seed=1)


@pytest.fixture(scope="module")
def fitted(simulated: Any) -> dict[bool, pl.DataFrame]:
    """The ratings beside the truth: re-weighted and plain."""
    strength, frame = simulated
    return {flag: centred(rate(frame, reweighted=flag), strength) for flag in (True, False)}


both_ways = pytest.mark.parametrize("reweighted", [True, False], ids=["reweighted", "plain"])


@needs_arena_rank
@both_ways
def test_known_strengths_are_recovered(simulated: Any, fitted: Any, reweighted: bool) -> None:
    _, frame = simulated
    ratings = fitted[reweighted]
    assert frame["winner"].is_in(["tie", "tie (bothbad)", "both_bad"]).mean() > 0.15
    for method in ("pearson", "spearman"):
        assert ratings.select(pl.corr("rating", "truth", method=method)).item() > 0.97
    assert ratings["rating"].is_sorted(descending=True)
    assert (ratings["rating"] - ratings["truth"]).abs().max() < 30
    assert ratings["n_battles"].sum() == 2 * frame.height
    assert ratings["why_unrated"].null_count() == ratings.height == 40


@needs_arena_rank
@both_ways
def test_bounds_are_95_percent_of_the_variance(fitted: Any, reweighted: bool) -> None:
    for row in fitted[reweighted].to_dicts():
        half = 1.959964 * math.sqrt(row["variance"])
        assert (row["lower"], row["upper"]) == pytest.approx(
            (row["rating"] - half, row["rating"] + half), abs=1e-3
        )


@needs_arena_rank
@both_ways
def test_the_anchor_of_the_boards_holds(fitted: Any, reweighted: bool) -> None:
    ratings = dict(fitted[reweighted].select("model", "rating").iter_rows())
    assert ratings[MIXTRAL] == pytest.approx(1114, abs=1e-9)


@needs_arena_rank
@both_ways
def test_intervals_hold_the_truth_as_often_as_they_say(reweighted: bool) -> None:
    strength, frame = simulate(100_000, seed=2, models=200)
    ratings = rate(frame, reweighted=reweighted, min_pair_count=1, anchor=("model-07", 0))
    held = centred(ratings, strength).select(pl.col("truth").is_between("lower", "upper").mean())
    # of 200 intervals at 95 %: one standard deviation is 1.5 percentage points
    assert 0.90 <= held.item() <= 0.99


def expected(ratings: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """A row per side of a battle: model, what it was expected to score, what it scored."""
    points = dict(ratings.select("model", "rating").iter_rows())
    gap = pl.col("model_b").replace_strict(points) - pl.col("model_a").replace_strict(points)
    read = outcomes(frame).with_columns(p=1 / (1 + 10 ** (gap / 400)))
    return pl.concat(
        [
            read.select(pl.col("model_a").alias("model"), "p", "outcome"),
            read.select(
                pl.col("model_b").alias("model"),
                (1 - pl.col("p")).alias("p"),
                (1 - pl.col("outcome")).alias("outcome"),
            ),
        ]
    )


@needs_arena_rank
def test_it_is_the_maximum_and_rare_models_have_the_interval_that_they_deserve() -> None:
    """By the textbook, not by the library: every model scores what its rating expects, and its
    variance is that of its own battles. arena-rank's default regularisation halves it here."""
    _, frame = simulate(300_000, seed=3, rare=8)
    ratings = rate(frame, reweighted=False)
    sides = expected(ratings, frame).group_by("model").agg(
        (pl.col("outcome") - pl.col("p")).sum().alias("surplus"),
        ((pl.col("outcome") - pl.col("p")) ** 2).sum().alias("squares"),
        (pl.col("p") * (1 - pl.col("p"))).sum().alias("information"),
    )  # fmt: skip
    assert sides["surplus"].abs().max() < 0.05
    rare = ratings.filter(pl.col("n_battles") < 200).join(sides, on="model")
    assert rare.height >= 5
    scale = (400 / math.log(10)) ** 2
    textbook = rare["squares"] / rare["information"] ** 2 * scale
    assert (rare["variance"] / textbook).is_between(0.85, 1.1).all()


@needs_arena_rank
def test_neither_the_order_of_rows_nor_the_side_matters(simulated: Any, fitted: Any) -> None:
    _, frame = simulated
    ratings = fitted[True].drop("truth")
    assert rate(frame.sample(fraction=1, shuffle=True, seed=7)).equals(ratings)
    mirror = {"model_a": "model_b", "model_b": "model_a"}
    turned = rate(frame.rename(mirror).with_columns(pl.col("winner").replace(mirror)))
    assert turned["model"].equals(ratings["model"])
    for column in ("rating", "lower", "upper"):
        assert turned[column].to_list() == pytest.approx(ratings[column].to_list(), abs=1e-3)


@needs_arena_rank
def test_weighing_changes_the_answer_only_where_pairs_met_often(
    simulated: Any, fitted: Any
) -> None:
    plain, weighted = fitted[False].sort("model"), fitted[True].sort("model")
    assert (plain["rating"] - weighted["rating"]).abs().max() > 0.5
    _, frame = simulated
    flat = rate(frame, reweighted=True, min_pair_count=10**9).sort("model")
    assert flat["rating"].to_list() == pytest.approx(plain["rating"].to_list(), abs=0.01)


@needs_arena_rank
def test_models_that_cannot_be_rated_are_there_without_a_number() -> None:
    _, frame = simulate(5_000, seed=6)
    more = votes(*[("loser", "model-01", "model_b")] * 9, ("isle", "land", "tie"))
    rows_of = {r["model"]: r for r in rate(pl.concat([frame, more])).to_dicts()}
    for model, battles in (("loser", 9), ("isle", 1), ("land", 1)):
        assert rows_of[model]["rating"] is rows_of[model]["upper"] is None
        assert rows_of[model]["n_battles"] == battles
        assert rows_of[model]["why_unrated"]
    assert [m for m, r in rows_of.items() if r["rating"] is None] == ["isle", "land", "loser"]
    with pytest.raises(VotesCallError, match="'loser' is none of the 40 rated models"):
        rate(pl.concat([frame, more]), anchor=("loser", 1000))


def test_nothing_to_rate_is_told() -> None:
    with pytest.raises(VotesError, match="nothing to rate"):
        rate(votes(("x", "y", "model_a")))


@needs_arena_rank
def test_the_command_tells_writes_and_compares(tmp_path: Path, warehouse: Path) -> None:
    _, frame = simulate(5_000, seed=8)
    names = {MIXTRAL: HOSTILE, "model-01": "X", "model-02": "y", "model-03": "z"}
    frame = frame.with_columns(pl.col("model_a", "model_b").replace(names))
    damaged = votes(("X", "X", "tie"), ("X", None, "tie"))
    path = write(pl.concat([frame, damaged]), tmp_path / "v.parquet")
    table, aside = tmp_path / "out" / "ratings.parquet", tmp_path / "aside.csv"
    arguments = [path, f"--warehouse={warehouse}", f"--set-aside={aside}", f"--out={table}"]
    done = call(*arguments, "--no-reweighted", "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    document = json.loads(done.stdout)
    assert (document["records"], document["counted"]) == (frame.height + 2, frame.height)
    assert {r["reason"]: r["n"] for r in document["not_counted"]} == {
        "a model against itself": 1,
        "no model": 1,
    }
    method = document["method"]
    assert (method["by"], method["reweighted"]) == ("arena-rank 0.1.1", False)
    assert (method["anchor"], method["anchor_points"]) == ("mean of the rated models", 1000.0)
    assert document["ratings"] == pl.read_parquet(table).to_dicts()
    assert np.mean([r["rating"] for r in document["ratings"]]) == pytest.approx(1000)
    assert HOSTILE in {r["model"] for r in document["ratings"]}
    assert document["board"]["models_common"] == 3
    assert pl.read_csv(aside).select("record", "reason").rows() == [
        (frame.height + 1, "a model against itself"),
        (frame.height + 2, "no model"),
    ]


@needs_arena_rank
def test_the_command_shows_names_from_outside_and_does_not_obey_them(tmp_path: Path) -> None:
    frame = votes(*[("x", HOSTILE, w) for w in OUTCOMES], ("x", "[red]never won", "model_a"))
    done = call(write(frame, tmp_path / "v.parquet"), "--anchor=x=1200")
    assert done.exit_code == 0, done.output
    assert_inert(done.stdout)
    for part in ("[bold]x", "[red]never won", "not rated", "1200.0", "6 battles counted"):
        assert part in done.stdout
