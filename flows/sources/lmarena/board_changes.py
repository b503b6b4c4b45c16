"""What changed in the old rows of a leaderboard file: the producer says that they never change."""

from __future__ import annotations

import duckdb
import pyarrow.parquet as pq

from flows.sources.lmarena.board_columns import kind_of, select_list
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchivedFile
from warehouse.database.duckdb_file import connect
from warehouse.database.read_files import parquet

# Lines are compared only for dates whose lines as a whole differ: most often there are none.
_DIFFERENCE = """
    CREATE TEMP TABLE days AS SELECT day FROM (
        SELECT leaderboard_publish_date AS day, count(*), sum(hash(old)::HUGEINT)
        FROM old GROUP BY day
        EXCEPT SELECT leaderboard_publish_date AS day, count(*), sum(hash(new)::HUGEINT)
        FROM new GROUP BY day);
    CREATE TEMP TABLE was AS FROM old SEMI JOIN days ON leaderboard_publish_date = day;
    CREATE TEMP TABLE now_is AS FROM new SEMI JOIN days ON leaderboard_publish_date = day;
    CREATE TEMP TABLE gone AS FROM was EXCEPT ALL FROM now_is;
    CREATE TEMP TABLE added AS FROM now_is EXCEPT ALL FROM was;
"""


def changed_rows(archive: Archive, new: ArchivedFile, old: ArchivedFile | None) -> str | None:
    """How old rows differ from the previous file; None if the new file only adds dates."""
    if old is None or old.sha256 == new.sha256 or not archive.is_sound(old):
        return None
    paths = [str(archive.verify_file(f)) for f in (old, new)]
    was, now = (kind_of(pq.read_schema(path).names) for path in paths)
    if was != now:
        return f"has the columns of {now.table}, previously those of {was.table}"
    with connect() as con:
        for name, path in zip(("old", "new"), paths, strict=True):
            lines = f"SELECT {select_list(now, path)} FROM {parquet(path)}"
            con.execute(f"CREATE TEMP VIEW {name} AS {lines}")
        con.execute(_DIFFERENCE)
        parts = [_count(con, "gone", "changed or gone"), _count(con, "added", "added or changed")]
    return ", ".join(filter(None, parts)) or None


def _count(con: duckdb.DuckDBPyConnection, table: str, what: str) -> str | None:
    ((rows, days, first, last),) = con.execute(
        f"""SELECT count(*), count(DISTINCT leaderboard_publish_date),
            min(leaderboard_publish_date), max(leaderboard_publish_date) FROM {table}"""
    ).fetchall()
    return f"{rows:,} rows of {days} old dates {what} ({first} to {last})" if rows else None
