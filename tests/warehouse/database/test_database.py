"""The warehouse file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.support.frames import PROPERTY
from warehouse.contracts.table import contract, contracts
from warehouse.database import duckdb_file
from warehouse.database.duckdb_file import (
    WarehouseError,
    connect,
    create,
    insert_frame,
    open_read_only,
    scan,
    unpublished_path,
)

COUNTERS = contract("core.hub_daily_counters")
downloads, likes, day = pl.col("downloads_30d"), pl.col("likes"), pl.col("as_of_date")
# Parts of conditions; two branches of a query often share some.
CONDITIONS = (
    *(day == date(2026, 8, number) for number in (1, 2, 3)),
    *(downloads.is_not_null(), downloads > 30, likes < 9, likes != 3),
    pl.col("model_id_hf").str.ends_with("7"),
)
ENGINES = ("in-memory", "streaming")
Frames = list[pl.LazyFrame]


def test_a_build_spills_beyond_the_memory_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSERVATORY_DUCKDB_MEMORY", "40MB")
    con = create(tmp_path / "small.duckdb")
    con.execute("CREATE TABLE spilled AS SELECT hash(i)::VARCHAR AS h FROM range(2000000) AS r(i)")
    sorted_and_kept = con.execute("SELECT count(*) FROM (FROM spilled ORDER BY h)").fetchall()
    assert sorted_and_kept == [(2_000_000,)]
    assert con.execute("SELECT current_setting('memory_limit')").fetchall() == [("38.1 MiB",)]
    con.close()
    monkeypatch.setenv("OBSERVATORY_DUCKDB_MEMORY", "a lot")
    with pytest.raises(
        WarehouseError, match="invalid memory limit 'a lot' in OBSERVATORY_DUCKDB_MEMORY"
    ):
        create(tmp_path / "other.duckdb")


def test_a_scan_works_over_any_number_of_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_file, "BATCH_ROWS", 2048)
    table = contract("core.countries")
    con = create(tmp_path / "scanned.duckdb")
    assert scan(con, table).collect().equals(pl.DataFrame(schema=table.polars_schema))
    code = table.key[0]
    con.execute(
        f"INSERT INTO {table.sql_name} BY NAME SELECT i::VARCHAR AS {code}, "
        + ", ".join(f"'x' AS {c}" for c in table.columns if c != code)
        + " FROM range(10000) AS r(i)"
    )
    frame = scan(con, table)
    number = pl.col(code).cast(pl.Int32)
    assert frame.select(pl.len()).collect().item() == 10_000
    assert frame.head(3_000).select(number.max()).collect().item() == 2_999
    assert frame.filter(number >= 9_990).head(5).collect().height == 5
    assert frame.head(5).filter(number >= 4).collect().height == 1
    assert scan(con, table, f"{code}::INTEGER < 7").collect().height == 7


def test_connections_use_utc_and_the_configured_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OBSERVATORY_DUCKDB_THREADS", "3")
    settings = "SELECT current_setting('TimeZone'), current_setting('threads')"
    with connect() as con:
        assert con.execute(settings).fetchall() == [("UTC", 3)]
        assert con.cursor().execute(settings).fetchall() == [("UTC", 3)]
    monkeypatch.setenv("OBSERVATORY_DUCKDB_THREADS", "many")
    with pytest.raises(
        WarehouseError, match="invalid number of threads 'many' in OBSERVATORY_DUCKDB_THREADS"
    ):
        connect()


def test_unpublished_tables_of_another_build_are_not_attached(tmp_path: Path) -> None:
    """A killed run can leave the old warehouse beside the new unpublished tables."""
    old, new = tmp_path / "old.duckdb", tmp_path / "new.duckdb"
    query = "SELECT count(*) FROM unpublished.core.hub_credits"
    for path in (old, new):
        create(path).close()
        with connect(path, read_only=True) as con:
            assert con.execute(query).fetchall() == [(0,)]
    unpublished_path(new).replace(unpublished_path(old))
    with connect(old, read_only=True) as con:
        assert con.execute("SELECT count(*) FROM meta.build").fetchall() == [(0,)]
    credits = contract("core.hub_credits")
    for read in (lambda con: con.execute(query), lambda con: scan(con, credits).collect()):
        message = r"old\.duckdb\.unpublished is .* another build"
        with pytest.raises(WarehouseError, match=message), open_read_only(old) as con:
            read(con)


def test_no_module_opens_duckdb_in_the_local_time_zone() -> None:
    modules = [p for f in ("flows", "warehouse", "expectations") for p in (ROOT / f).rglob("*.py")]
    opening = {p.name for p in modules if "duckdb.connect(" in p.read_text("utf-8")}
    assert opening == {"duckdb_file.py"}


def counters(rows: int = 120) -> pl.DataFrame:
    """Rows of three days, every seventh without downloads."""
    return (
        pl.DataFrame(
            {
                "as_of_date": [date(2026, 8, 1) + timedelta(days=i % 3) for i in range(rows)],
                "model_id_hf": [f"a/m{i}" for i in range(rows)],
                "downloads_30d": [None if i % 7 == 3 else i for i in range(rows)],
                "likes": [i % 12 for i in range(rows)],
            },
            schema_overrides=COUNTERS.polars_schema,
        )
        .pipe(lambda held: pl.concat([COUNTERS.polars_schema.to_frame(), held], how="diagonal"))
        .sort(COUNTERS.key)
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """A warehouse with these rows."""
    con = create(tmp_path_factory.mktemp("stored") / "stored.duckdb")
    insert_frame(con, COUNTERS, counters())
    return con


def beside(frames: Frames) -> pl.LazyFrame:
    """The sums of each branch, computed twice, in one row."""
    looked = [
        look.alias(f"{name}{i}")
        for i in range(len(frames))
        for name, look in (
            ("n", pl.len()),
            ("d", downloads.max()),
            ("m", pl.col("model_id_hf").max()),
        )
    ]
    return pl.concat(
        [frames[at // 3].select(look) for at, look in enumerate(looked)], how="horizontal"
    )


def below(frames: Frames) -> pl.LazyFrame:
    """The rows of all branches, each with the sum of its day in its branch."""
    parts = [
        frame.join(frame.group_by("as_of_date").agg(most=downloads.max()), on="as_of_date")
        for frame in frames
    ]
    return pl.concat(part.select("model_id_hf", "likes", "most") for part in parts)


def joined(frames: Frames) -> pl.LazyFrame:
    """A column of each branch for every day of any, as a mart joins its measures."""
    card = pl.concat([frame.select("as_of_date") for frame in frames]).unique()
    for i, frame in enumerate(frames):
        newest = frame.select("as_of_date").unique()
        best = frame.group_by("as_of_date").agg(likes.sum().alias(f"likes{i}"))
        card = card.join(newest.join(best, on="as_of_date"), on="as_of_date", how="left")
    return card


def first_rows(frames: Frames) -> pl.LazyFrame:
    """A different number of first rows of each branch, and every row of the first."""
    heads = [frame.head(3 + 2 * i) for i, frame in enumerate(frames)]
    return pl.concat([*heads, frames[0]]).select("model_id_hf", "likes")


SHAPES = (beside, below, joined, first_rows)


def plainly(query: pl.LazyFrame) -> pl.DataFrame:
    """The rows of a query, sorted by its columns."""
    frame = query.collect(optimizations=pl.QueryOptFlags.none())
    return frame.sort(frame.columns)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("engine", ENGINES)
def test_branches_with_overlapping_conditions_get_their_own_rows(
    stored: duckdb.DuckDBPyConnection, shape: Callable[[Frames], pl.LazyFrame], engine: Any
) -> None:
    def query(table: pl.LazyFrame) -> pl.LazyFrame:
        known = downloads.is_not_null()
        return shape([table.filter((day == on) & (likes < 9) & known) for on in days])

    days = [date(2026, 8, 1), date(2026, 8, 2), date(2026, 8, 9)]
    got = query(scan(stored, COUNTERS)).collect(engine=engine)
    assert got.sort(got.columns).equals(plainly(query(counters().lazy())))


# A branch: its conditions, whether all or any must hold, and the branch that it starts from.
BRANCH = st.tuples(
    st.lists(st.sampled_from(range(len(CONDITIONS))), min_size=1, max_size=4, unique=True),
    st.booleans(),
    st.integers(0, 3),
)


@PROPERTY
@given(
    branches=st.lists(BRANCH, min_size=2, max_size=4),
    shape=st.sampled_from(SHAPES),
    engine=st.sampled_from(ENGINES),
)
def test_a_scan_gives_the_same_as_a_frame(
    stored: duckdb.DuckDBPyConnection,
    branches: list[tuple[list[int], bool, int]],
    shape: Callable[[Frames], pl.LazyFrame],
    engine: Any,
) -> None:
    def query(table: pl.LazyFrame) -> pl.LazyFrame:
        made = [table]
        for chosen, all_of_them, after in branches:
            asked = [CONDITIONS[c] for c in chosen]
            whole = pl.all_horizontal(asked) if all_of_them else pl.any_horizontal(asked)
            made.append(made[min(after, len(made) - 1)].filter(whole))
        return shape(made[1:])

    got = query(scan(stored, COUNTERS)).collect(engine=engine)
    assert got.sort(got.columns).equals(plainly(query(counters().lazy())))


class Counted:
    """A connection that counts the queries of its cursors."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con, self.asked = con, list[str]()

    def cursor(self) -> Counted:
        """Another view of the same connection."""
        return self

    def __enter__(self) -> Counted:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, query: str) -> duckdb.DuckDBPyConnection:
        self.asked.append(query)
        return self.con.cursor().execute(query)


def test_a_query_reads_each_column_once_for_all_branches(
    stored: duckdb.DuckDBPyConnection,
) -> None:
    counted: Any = Counted(stored)
    table = scan(counted, COUNTERS)
    branches = [table.filter((likes == n) & downloads.is_not_null()) for n in range(12)]
    for engine in ENGINES:
        counted.asked.clear()
        assert beside(branches).collect(engine=engine).width == 36
        (query,) = counted.asked
        assert "downloads_30d" in query and "trending_score" not in query


@pytest.mark.parametrize("name", ["a.b.duckdb", 'it"s, a.duckdb', ".observatory.duckdb.1.build"])
def test_tables_are_found_by_their_name_in_both_files(tmp_path: Path, name: str) -> None:
    """Whatever the file is called: its name is the name of a database in the search path."""
    create(tmp_path / name).close()
    with connect(tmp_path / name, read_only=True) as con:
        for table in contracts():
            assert con.execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]
