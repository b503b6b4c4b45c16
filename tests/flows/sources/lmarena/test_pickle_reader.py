"""Pickles are read correctly and never executed."""

from __future__ import annotations

import builtins
import codecs
import collections
import math
import os
import pickle
import random
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.sources.lmarena import pickle_reader
from flows.sources.lmarena.pickle_reader import Made, Named, PickleError, read
from flows.sources.lmarena.pickled_frames import frame, is_frame, is_series, mapping, plain
from flows.sources.lmarena.space_boards import SCHEMA, boards
from tests.support.pickles import MODELS, Does, flat, leaderboard, result

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PROPERTY = settings(max_examples=60, deadline=None, derandomize=True)
Row = dict[str, Any]


# --- nothing runs --------------------------------------------------------------------------------

# The interpreter loads its codecs when they are first used: here, not while we listen.
for codec in ("raw-unicode-escape", "latin-1", "utf-8", "utf-32-le", "utf-32-be", "ascii"):
    codecs.lookup(codec)

HEARD: list[str] = []
_LISTENING = [False]
# Audit events of what a pickle could do; `open` includes reading a file.
DEEDS = ("import", "exec", "compile", "open", "pickle.", "os.", "subprocess.", "socket.", "ctypes.")


def _hear(event: str, about: tuple[object, ...]) -> None:
    if _LISTENING[0] and event.startswith(DEEDS):
        HEARD.append(f"{event} {about[:1]}")


sys.addaudithook(_hear)  # an audit hook stays for the life of the process; it is deaf by default


@contextmanager
def nothing_happens() -> Iterator[None]:
    """The interpreter itself says whether anything is imported, compiled, opened or started."""
    HEARD.clear()
    _LISTENING[0] = True
    try:
        yield
    finally:
        _LISTENING[0] = False
    assert HEARD == []


def test_the_audit_hook_detects_a_call(tmp_path: Path) -> None:
    """A guard that cannot fail is none."""
    with pytest.raises(AssertionError), nothing_happens():
        pickle.loads(pickle.dumps(Does(os.mkdir, str(tmp_path / "made"))))
    assert (tmp_path / "made").is_dir()


def hostile(trace: Path) -> dict[str, Any]:
    touch, code = f"touch {trace}", f"open({str(trace)!r}, 'w').close()"
    return {
        "os.system": Does(os.system, touch),
        "exec": Does(builtins.exec, code),
        "eval": Does(builtins.eval, code),
        "open": Does(builtins.open, str(trace), "w"),
        "a class with __reduce__": Does(Path.touch, trace),
        "getattr": Does(getattr, Does(__import__, "os"), "system"),
        "nested": {"a": [(Does(os.system, touch), {"b": Does(os.system, touch)})]},
        "as an argument": Does(print, Does(os.system, touch)),
        "as a state": pd.Series([Does(os.system, touch)], dtype=object),
        "in a table": pd.DataFrame({"rating": [Does(os.system, touch)]}, dtype=object),
        "as a key": {("a", "b"): 1, Does(os.getcwd).call: Does(os.system, touch)},
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("what", hostile(Path()))
def test_nothing_in_a_pickle_is_executed(tmp_path: Path, what: str, protocol: int) -> None:
    trace = tmp_path / "trace"
    data = pickle.dumps(hostile(trace)[what], protocol)
    modules = set(sys.modules)
    with nothing_happens():
        read(data)
        with pytest.raises(PickleError):
            boards(data)
    assert not trace.exists()
    assert set(sys.modules) == modules


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.", "os.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x0dexec.__call__\x93)", None),
        (b"\x80\x04\x8c\x08builtins\x8c\x0dexec.__call__\x93)R.", "builtins.exec.__call__"),
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'true'\no.", "os.system"),
        (b"\x80\x02cnobody.made.this\nthing\n)\x81}b.", "nobody.made.this.thing"),
    ],
    ids=["stack global", "cut", "dotted name", "global", "inst", "obj", "no such module"],
)
def test_every_way_to_name_a_call_only_records_it(data: bytes, path: str | None) -> None:
    with nothing_happens():
        if path is None:
            with pytest.raises(PickleError):
                read(data)
        else:
            made = read(data)
            assert isinstance(made, Made)
            assert made.path == path


@pytest.mark.parametrize(
    "data",
    [b"\x82\x01.", b"\x83\x01\x00.", b"\x84\x01\x00\x00\x00.", b"Pid\n.", b"Nq\x00Q.", b"\x97."],
    ids=["ext1", "ext2", "ext4", "persid", "binpersid", "next buffer"],
)
def test_references_outside_the_pickle_are_rejected(data: bytes) -> None:
    with (
        nothing_happens(),
        pytest.raises(PickleError, match="needs more than the data in the pickle"),
    ):
        read(data)


def test_modules_named_by_a_pickle_are_never_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plotly's figures are named in the Space's pickles; whoever has it installed runs nothing."""
    trace, name = tmp_path / "trace", "plotly_like_module"
    (tmp_path / f"{name}.py").write_text(f"open({str(trace)!r}, 'w')\nclass Figure: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = types.ModuleType(name)
    figure = type("Figure", (), {"__module__": name, "__qualname__": "Figure"})
    module.Figure = figure  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    drawn = figure()
    drawn.data = [{"z": np.arange(6.0).reshape(2, 3)}]
    for protocol in PROTOCOLS:
        data = pickle.dumps(
            {"text": {"full": result() | {"win_fraction_heatmap": drawn}}}, protocol
        )
        monkeypatch.delitem(sys.modules, name)
        with nothing_happens():
            assert boards(data).height == 2 * len(MODELS)
        assert name not in sys.modules
        assert not trace.exists()
        monkeypatch.setitem(sys.modules, name, module)


# --- damaged pickles ---------------------------------------------------------


def deep(levels: int) -> bytes:
    return b"\x80\x04" + b")" * 1 + b"\x85" * levels + b"."


BOMBS = {
    "nested tuples": deep(200_000),
    "nested tuple as a key": b"\x80\x04}" + deep(200_000)[2:-1] + b"Ns.",
    "tuples of themselves": b"\x80\x04)" + b"2\x86" * 200 + b".",
    "tuples of themselves, as a key": b"\x80\x04})" + b"2\x86" * 200 + b"Ns.",
    "lists in lists": b"\x80\x04" + b"(" * 100_000 + b"l" * 100_000 + b".",
    "a list in itself": b"\x80\x04]\x940h\x00h\x00a.",
    "far memo": b"\x80\x04Nr\xff\xff\xff\xff.",
    "calls of calls": b"\x80\x04cos\nsystem\n" + b")R" * 100_000 + b".",
}


@pytest.mark.timeout(120)  # each takes less than a second
@pytest.mark.parametrize("name", BOMBS)
def test_pickle_bombs_are_rejected_quickly(name: str) -> None:
    """Neither the stack of the machine nor the time of the reader runs out."""
    with nothing_happens():
        with pytest.raises(PickleError):
            boards(BOMBS[name])
        value = read(BOMBS[name])
        for reader in (frame, mapping, plain):
            with suppress(PickleError):
                reader(value)


def array(shape: tuple[Any, ...], raw: Any, kind: str = "f8", protocol: int = 4) -> bytes:
    """A numpy array that says what it likes of itself."""

    class Liar:
        def __reduce__(self) -> tuple[Any, ...]:
            _, _, (version, _, dtype, order, _) = np.zeros(1, kind).__reduce__()
            call, args, _ = np.zeros(1, kind).__reduce__()
            return call, args, (version, shape, dtype, order, raw)

    class Index:
        def __reduce__(self) -> tuple[Any, ...]:
            return (new_index, (pd.Index, {"data": Liar(), "name": None}))

    return pickle.dumps({"index": Index(), "cells": Liar()}, protocol)


new_index = pd.Index(["a"]).__reduce__()[0]


@pytest.mark.parametrize(
    ("shape", "raw", "kind"),
    [
        ((2,), b"\0" * 15, "f8"),
        ((3,), b"\0" * 16, "f8"),
        ((-1,), b"", "f8"),
        ((10**9,), b"", "f8"),
        ((10**6, 10**6), b"", "U0"),
        ((2.0,), b"\0" * 16, "f8"),
        ((), b"\0" * 8, "f8"),
        ((2,), [1], "O"),
        ((1, 1, 1), b"\0" * 8, "f8"),
        ((1,), b"\0" * 8, "M8[s]"),
        ((1,), b"\xff" * 4, "U1"),
        ((1,), "text", "f8"),
    ],
)
def test_an_array_with_a_false_shape_or_type_is_rejected(
    shape: tuple[Any, ...], raw: Any, kind: str
) -> None:
    record = read(array(shape, raw, kind))
    series = Made(Named("pandas.core.series.Series"), ())
    block = Made(Named("pandas._libs.internals._unpickle_block"), (record["cells"], None, 1))
    manager = Made(
        Named("pandas.core.internals.managers.SingleBlockManager"), (block, record["index"])
    )
    series.state = {"_mgr": manager}
    with nothing_happens(), pytest.raises(PickleError):
        mapping(series)


def test_pickles_above_the_limits_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_reader, "MAX_BYTES", 100)
    with pytest.raises(PickleError, match=r"has 101 bytes, more than 100"):
        read(b"N" * 101)
    monkeypatch.setattr(pickle_reader, "MAX_STEPS", 5)
    with pytest.raises(PickleError, match=r"more than 5 steps"):
        read(b"\x80\x04" + b"N" * 50 + b".")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_damaged_pickles_raise_pickle_error(protocol: int) -> None:
    """Cut anywhere, or with any byte changed, it says so or gives other figures."""
    data = pickle.dumps({"text": {"full": result()}}, protocol)
    chosen = random.Random(7)
    cuts = sorted(chosen.sample(range(len(data)), 60))
    for cut in cuts:
        with pytest.raises(PickleError):
            boards(data[:cut])
    with nothing_happens():
        for _ in range(600):
            at = chosen.randrange(len(data))
            spoilt = data[:at] + bytes([chosen.randrange(256)]) + data[at + 1 :]
            with suppress(ValueError):  # a PickleError, or a text that is none
                assert boards(spoilt).schema == SCHEMA


@PROPERTY
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_rejected(data: bytes) -> None:
    with nothing_happens():
        for start in (b"", b"\x80\x04"):
            with suppress(PickleError):
                read(start + data + b".")


# --- what it says comes out right ----------------------------------------------------------------

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
COLUMNS = {
    "float64": st.floats(width=64),
    "float32": st.floats(width=32),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int8": st.integers(-128, 127),
    "bool": st.booleans(),
    "object": st.none() | NAMES | st.integers(),
    "str": NAMES,
    "Int64": st.none() | st.integers(-(2**63), 2**63 - 1),
}


@st.composite
def tables(draw: Any) -> pd.DataFrame:
    height = draw(st.integers(0, 5))
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), max_size=5))
    names = draw(st.lists(NAMES, min_size=len(kinds), max_size=len(kinds), unique=True))
    columns = {
        name: pd.Series(draw(st.lists(COLUMNS[kind], min_size=height, max_size=height)), dtype=kind)
        for name, kind in zip(names, kinds, strict=True)
    }
    table = pd.DataFrame(columns, index=range(height))
    labels = draw(st.none() | st.lists(NAMES, min_size=height, max_size=height))
    if labels is not None:
        table.index = pd.Index(labels, dtype=draw(st.sampled_from(["object", "str"])))
    turned = draw(st.sampled_from(["as it is", "every second", "turned"]))
    if turned == "turned":
        return table.T if table.index.is_unique else table
    return table.iloc[::2] if turned == "every second" else table


def alike(ours: Any, theirs: Any) -> bool:
    if theirs is None or theirs is pd.NA or (isinstance(theirs, float) and math.isnan(theirs)):
        return ours is None or (isinstance(ours, float) and math.isnan(ours))
    return type(ours) is type(theirs) and ours == theirs


@PROPERTY
@given(tables(), st.sampled_from(list(PROTOCOLS)))
def test_any_table_is_read_unchanged(table: pd.DataFrame, protocol: int) -> None:
    data = pickle.dumps(table, protocol)
    with nothing_happens():
        record = read(data)
        assert is_frame(record)
        found = frame(record)
    assert list(found.columns) == table.columns.tolist()
    assert found.index == table.index.tolist()
    for label, cells in found.columns.items():
        theirs = table[label].tolist()
        assert all(alike(a, b) for a, b in zip(cells, theirs, strict=True)), (cells, theirs)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("infer", [True, False], ids=["arrow texts", "texts as objects"])
def test_series_and_numpy_numbers_are_read(protocol: int, infer: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pd.option_context("future.infer_string", infer):
            data = pickle.dumps(pd.Series({"a": 1.5, "é": 2.0}), protocol)
    assert is_series(read(data))
    assert mapping(read(data)) == {"a": 1.5, "é": 2.0}
    numbers = {"a": np.float64(0.1), "b": np.int64(7), np.str_("c"): np.float32(0.5)}
    record = mapping(read(pickle.dumps(numbers, protocol))) or {}
    assert {key: plain(value) for key, value in record.items()} == {"a": 0.1, "b": 7, "c": 0.5}
    ordered = collections.OrderedDict(x=1.0, y=2.0)
    assert mapping(read(pickle.dumps(ordered, protocol))) == ordered
    default = collections.defaultdict(int, x=1)
    assert mapping(read(pickle.dumps(default, protocol))) == {"x": 1}
    assert mapping(read(pickle.dumps([1], protocol))) is None


@pytest.mark.timeout(120)  # a second
def test_a_repeated_block_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block named a million times costs a pickle little, and would cost its reader all."""
    record = read(pickle.dumps(leaderboard(), 4))
    manager = record.state["_mgr"]
    blocks, axes = manager.args
    manager.args = (blocks * 1_000_000, axes)
    with pytest.raises(PickleError, match="two columns in one place"):
        frame(record)
    manager.args = (blocks, axes)
    monkeypatch.setattr("flows.sources.lmarena.pickled_frames.MAX_CELLS", 17)  # 6 columns, 3 lines
    with pytest.raises(PickleError, match=r"shape \["):
        frame(record)


def test_texts_in_chunks_are_one_column() -> None:
    chunked = pd.concat([pd.Series(["a", None]), pd.Series(["é", "b"])], ignore_index=True)
    assert chunked.array._pa_array.num_chunks == 2
    found = frame(read(pickle.dumps(chunked.to_frame("t"), 5)))
    assert [None if pd.isna(t) else t for t in found.columns["t"]] == ["a", None, "é", "b"]


def test_repeated_labels_are_rejected() -> None:
    twice = pd.Series([1.0, 2.0], index=["a", "a"])
    with pytest.raises(PickleError, match="repeated labels"):
        mapping(read(pickle.dumps(twice)))
    columns = pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])
    with pytest.raises(PickleError, match="do not fit together"):
        frame(read(pickle.dumps(columns)))


def test_older_numpy_and_pandas_names_give_the_same_table() -> None:
    """The Space wrote with pandas 1 and 2 and numpy 1: other module paths, the same records."""
    table = leaderboard().fillna(0)
    data = old = pickle.dumps(table, 2)  # names are plain lines there; later ones count their bytes
    for new, before in {
        "numpy._core.multiarray": "numpy.core.multiarray",
        "pandas DataFrame": "pandas.core.frame DataFrame",
        "pandas Index": "pandas.core.indexes.base Index",
    }.items():
        assert new.replace(" ", "\n").encode() in old
        old = old.replace(new.replace(" ", "\n").encode(), before.replace(" ", "\n").encode())
    assert frame(read(old)) == frame(read(data))


def test_a_manager_with_blocks_in_its_state_is_read() -> None:
    """As pandas before 1.3 wrote every table: a tuple of four, the last one by version."""
    record = read(pickle.dumps(leaderboard().fillna(0), 4))
    manager = record.state["_mgr"]
    blocks, axes = manager.args
    held = [{"values": b.args[0], "mgr_locs": b.args[1]} for b in blocks]
    old = Made(Named("pandas.core.internals.managers.BlockManager"), ())
    old.state = (axes, [], [], {"0.14.1": {"axes": axes, "blocks": held}})
    before = Made(Named("pandas.core.frame.DataFrame"), (), {"_data": old, "_typ": "dataframe"})
    assert frame(before) == frame(record)


# --- the boards of every year --------------------------------------------------------------------


TABLE = {(m, "bradley_terry") for m in MODELS} | {(m, "elo_online") for m in MODELS}
ONLINE = {(m, "elo_online") for m in MODELS}
MEDIAN = {(m, "elo_median") for m in MODELS}
FINAL = {(m, "bradley_terry") for m in MODELS}
ERAS: dict[str, tuple[Row, dict[tuple[str, str], set[tuple[str, str]]]]] = {
    "2023-05, medians in a dict": (
        flat(elo_rating_median=dict.fromkeys(MODELS, 1000)),
        {("text", "full"): ONLINE | MEDIAN},
    ),
    "2023-11, medians in a series": (
        flat(elo_rating_median=pd.Series(1000.5, index=MODELS)),
        {("text", "full"): ONLINE | MEDIAN},
    ),
    "2023-12-20, final": (
        flat(rating_system="bt", elo_rating_final=pd.Series(1000.5, index=MODELS)),
        {("text", "full"): ONLINE | FINAL},
    ),
    "2023-12-20, final by Elo": (
        flat(rating_system="elo", elo_rating_final=pd.Series(1000.5, index=MODELS)),
        {("text", "full"): ONLINE | MEDIAN},
    ),
    "2024-01, a table": (result(), {("text", "full"): TABLE}),
    "2024-03-27, categories": (
        {"full": result(), "chinese": result(), "hard_6": result()},
        {("text", c): TABLE for c in ("full", "chinese", "hard_6")},
    ),
    "2024-06-29, boards": (
        {"text": {"full": result(), "coding": result()}, "vision": {"full": result()}},
        {("text", "full"): TABLE, ("text", "coding"): TABLE, ("vision", "full"): TABLE},
    ),
    "2024-08-28, style control": (
        {
            "text": {"full": result(), "full_style_control": result()},
            "vision": {"full_style_control": result()},
            "image": {"full": result(), "is_preset_generation": result()},
        },
        {
            ("text", "full"): TABLE,
            ("text_style_control", "full"): TABLE,
            ("vision_style_control", "full"): TABLE,
            ("text_to_image", "full"): TABLE,
            ("text_to_image", "is_preset_generation"): TABLE,
        },
    ),
    "2025-06, other bounds": (
        {"text": {"full": result("named")}},
        {("text", "full"): TABLE},
    ),
    "2025-08, more boards": (
        {"image-edit": {"full": result("named")}, "webdev": result("named")},
        {("image_edit", "full"): TABLE, ("webdev", "full"): TABLE},
    ),
}


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("era", ERAS)
def test_every_era_gives_its_boards(era: str, protocol: int) -> None:
    content, expected = ERAS[era]
    data = pickle.dumps(content, protocol)
    with nothing_happens():
        found = boards(data)
    places: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for row in found.iter_rows(named=True):
        place = row["subset"], row["source_category"]
        places.setdefault(place, set()).add((row["model_name"], row["rating_kind"]))
    assert places == expected
    assert found.height == sum(len(models) for models in expected.values())


@pytest.mark.parametrize("era", ["q", "named"])
def test_the_figures_of_a_table_are_those_of_pandas(era: str) -> None:
    found = boards(pickle.dumps({"text": {"full": result(era)}}))
    rows = [r for r in found.iter_rows(named=True) if r["rating_kind"] == "bradley_terry"]
    upper, lower = leaderboard(era).columns[2:4]
    for row, (model, theirs) in zip(rows, leaderboard(era).iterrows(), strict=True):
        assert row["model_name"] == model
        variance = None if math.isnan(theirs["variance"]) else theirs["variance"]
        ours = [row[c] for c in ("rating", "rating_lower", "rating_upper", "vote_count", "rank")]
        assert ours == [theirs[c] for c in ("rating", lower, upper, "num_battles", "final_ranking")]
        assert row["variance"] == variance
    alone = [r for r in found.iter_rows(named=True) if r["rating_kind"] == "elo_online"]
    assert [r["rating"] for r in alone] == [1000.0, 1001.0, 1002.0]
    assert {r[c] for r in alone for c in ("rating_lower", "variance", "vote_count", "rank")} == {
        None
    }


@pytest.mark.parametrize("cell", ["high", True, math.inf, -math.inf, 10**400, 1e13])
def test_a_cell_that_is_not_a_number_does_not_reject_the_file(cell: object) -> None:
    found = boards(pickle.dumps({"elo_rating_online": {"a": cell, "b": 1000.0, "c": math.nan}}))
    assert found["rating"].to_list() == [math.inf, 1000.0, None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no table of ratings"),
        ([1, 2], "no table of ratings"),
        ({"text": {"full": {"other": 1}}}, "no table of ratings"),
        (flat(elo_rating_final={"a": 1.0}), "unknown rating system None"),
        (result() | {"rating_system": "glicko"}, "unknown rating system 'glicko'"),
        (result() | {"rating_system": ["bt"]}, "unknown rating system a list"),
        ({"elo_rating_online": {3: 1.0}}, "name that is not text: 3"),
        ({"leaderboard_table_df": leaderboard().drop(columns="rating")}, "without ratings"),
        (
            {"leaderboard_table_df": leaderboard().reset_index(drop=True)},
            "name that is not text: 0",
        ),
        ({"leaderboard_table_df": pd.DataFrame({"rating": pd.Categorical(["a"])})}, "unknown type"),
    ],
)
def test_a_pickle_without_boards_is_rejected_with_the_reason(content: Any, message: str) -> None:
    with pytest.raises(PickleError, match=message):
        boards(pickle.dumps(content))
