"""Alerts: significant differences between a new warehouse and the previous one.

A change is an alert only if it exceeds its uncertainty: a change of leader must be confirmed in
the marts, a share must have left its previous bounds, and days with stalled counters are ignored.
Alerts are saved beside the warehouse before it is swapped in and deleted once they are sent: a run
that fails in between sends them the next time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from warehouse.contracts.source import card
from warehouse.database import read_files
from warehouse.database.duckdb_file import connect
from warehouse.storage.files import write_atomically

CHANGE_OF_LEADER = "change-of-leader"
CLAIM_VERDICT_CHANGED = "claim-verdict-changed"
SHARE_MOVED = "share-moved"
SOURCE_STALE = "source-stale"
KINDS = (CHANGE_OF_LEADER, CLAIM_VERDICT_CHANGED, SHARE_MOVED, SOURCE_STALE)


@dataclass(frozen=True)
class Alert:
    """One significant change. `subject` names the series, claim or source."""

    kind: str
    subject: str
    before: str | None
    after: str
    text: str


def compare(before: Path, after: Path) -> list[Alert]:
    """Alerts of the warehouse file `after` against `before`, by kind and subject.

    Empty for a first build. A mart that one of the files lacks, because older code built it, is
    skipped.
    """
    if not before.exists():
        return []
    with _both(before, after) as con:
        present = _tables(con)
        found = [
            Alert(kind, *row)
            for kind, table, query in QUERIES
            if {("before", table), ("after", table)} <= present
            for row in con.execute(query).fetchall()
        ]
        found += _stale(con)
    return sorted(found, key=lambda a: (a.kind, a.subject))


def save(before: Path, after: Path, warehouse: Path) -> list[Alert]:
    """Adds the alerts of `compare` to those that are not sent yet; returns all of them."""
    known = unsent(warehouse)
    alerts = known + [alert for alert in compare(before, after) if alert not in known]
    if alerts:
        data = json.dumps([asdict(a) for a in alerts], ensure_ascii=False, indent=1)
        write_atomically(_outbox(warehouse), data.encode() + b"\n")
    return alerts


def unsent(warehouse: Path) -> list[Alert]:
    """Saved alerts of this warehouse that are not sent yet."""
    path = _outbox(warehouse)
    return [Alert(**fields) for fields in json.loads(path.read_bytes())] if path.exists() else []


def clear(warehouse: Path) -> None:
    """Deletes the saved alerts, once they are sent."""
    _outbox(warehouse).unlink(missing_ok=True)


def _outbox(warehouse: Path) -> Path:
    return warehouse.with_name(f"{warehouse.stem}.alerts.json")


@contextmanager
def _both(before: Path, after: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as con:
        for name, path in (("before", before), ("after", after)):
            con.execute(f"ATTACH {read_files.database(path)} AS {name} (READ_ONLY)")
        yield con


PANEL_TABLES = ("country_share_daily", "hub_leader_changes")


def _tables(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Database and name of each table that can be compared: an older one may lack panel_id."""
    query = f"""
        SELECT database_name, schema_name || '.' || table_name FROM duckdb_tables() AS t
        WHERE table_name NOT IN {PANEL_TABLES} OR EXISTS (
            SELECT 1 FROM duckdb_columns() AS c WHERE c.column_name = 'panel_id'
            AND (c.database_name, c.schema_name, c.table_name)
                = (t.database_name, t.schema_name, t.table_name))"""
    return {(database, table) for database, table in con.execute(query).fetchall()}


def _leaders(table: str, series: str) -> str:
    """SQL: series whose confirmed leader has changed. A new series has no earlier leader."""
    subject = f"concat_ws(', ', {series})"
    return f"""
WITH old AS (
    SELECT {subject} AS subject, max_by(holder, confirmed_date) AS holder
    FROM before.{table} GROUP BY ALL
), new AS (
    SELECT {subject} AS subject, max_by(holder, confirmed_date) AS holder,
        max(confirmed_date) AS confirmed
    FROM after.{table} GROUP BY ALL
)
SELECT subject, old.holder, new.holder, format('{{}}: {{}} is the confirmed new leader '
    'as of {{}}; previously {{}}', subject, new.holder, confirmed, old.holder)
FROM new JOIN old USING (subject) WHERE new.holder <> old.holder"""


_CLAIMS = """
SELECT new.claim_id || ', ' || new.moment, old.verdict, new.verdict,
    format('claim {} ({}): {}, previously {}; {}', new.claim_id, new.moment, new.verdict,
        old.verdict, new.reason)
FROM after.mart.claims AS new JOIN before.mart.claims AS old USING (claim_id, moment)
WHERE new.verdict <> old.verdict"""

# The newest day without stalled counters, in each file. The bounds attribute none or all of the
# unknown part to the country, so shares with overlapping bounds may be equal. Days of different
# panels are not compared.
_HEADLINE = """
    FROM {file}.mart.country_share_daily AS s
    JOIN {file}.core.hub_counter_days AS d USING (as_of_date)
    WHERE d.counter_outage IS NULL AND metric = 'downloads_30d' AND credit = 'fractional'
        AND population IN ('all', 'llm_vlm') AND country_code NOT IN ('XX', 'ZZ')
    QUALIFY as_of_date = max(as_of_date) OVER (PARTITION BY population, attribution)"""
_SHARES = f"""
WITH old AS (SELECT s.* {_HEADLINE.format(file="before")}),
new AS (SELECT s.* {_HEADLINE.format(file="after")})
SELECT concat_ws(', ', country_code, population, attribution),
    format('{{:.1f}} %', 100 * old.share), format('{{:.1f}} %', 100 * new.share),
    format('{{}}, share of 30-day downloads ({{}}, by {{}}): {{:.1f}} % ({{:.1f}} to {{:.1f}}) on '
        '{{}}, previously {{:.1f}} % ({{:.1f}} to {{:.1f}}) on {{}}', country_code, population,
        attribution, 100 * new.share, 100 * new.share_lower, 100 * new.share_upper,
        new.as_of_date, 100 * old.share, 100 * old.share_lower, 100 * old.share_upper,
        old.as_of_date)
FROM new JOIN old USING (population, attribution, country_code, panel_id)
WHERE new.share_lower > old.share_upper OR new.share_upper < old.share_lower"""

QUERIES = (
    (
        CHANGE_OF_LEADER,
        "mart.arena_leader_changes",
        _leaders("mart.arena_leader_changes", "'Arena ' || board, category, level"),
    ),
    (
        CHANGE_OF_LEADER,
        "mart.hub_leader_changes",
        _leaders("mart.hub_leader_changes", "'Hub ' || population, metric, attribution, panel_id"),
    ),
    (CLAIM_VERDICT_CHANGED, "mart.claims", _CLAIMS),
    (SHARE_MOVED, "mart.country_share_daily", _SHARES),
)


def _stale(con: duckdb.DuckDBPyConnection) -> list[Alert]:
    """Sources that became late since the previous build; each is reported once."""
    late_before, late = ({r["source"]: r for r in ages(con, db) if r["is_stale"]} for db in DBS)
    return [
        Alert(
            SOURCE_STALE,
            source,
            None,
            f"{row['age_days']} days",
            f"{source}: the newest observation is from {row['newest']}, {row['age_days']} days "
            f"ago; the limit is {row['stale_after_days']} days",
        )
        for source, row in late.items()
        if source not in late_before
    ]


DBS = ("before", "after")


# Sources whose own publication date says more than the day of the download.
_OWN_DATE = {"lmarena": "SELECT max(publish_date) FROM {db}.core.arena_ratings"}


def ages(con: duckdb.DuckDBPyConnection, database: str) -> list[dict[str, Any]]:
    """One record per source: its newest day, its age at the build's date, whether it is late.

    The newest day is that of the last snapshot. For LMArena it is that of the last board: the files
    are downloaded daily and change every 1 to 19 days.
    """
    rows = con.execute(
        f"""SELECT source, max(snapshot_date), any_value(as_of)
        FROM {database}.meta.snapshots, {database}.meta.build GROUP BY source ORDER BY source"""
    ).fetchall()
    return [_age(con, database, *row) for row in rows]


def _age(
    con: duckdb.DuckDBPyConnection, database: str, source: str, newest: date, as_of: date
) -> dict[str, Any]:
    if source in _OWN_DATE:
        own = con.execute(_OWN_DATE[source].format(db=database)).fetchall()[0][0]
        newest = own or newest
    age, limit = (as_of - newest).days, card(source).stale_after_days
    return {
        "source": source,
        "newest": newest,
        "age_days": age,
        "stale_after_days": limit,
        "is_stale": card(source).is_late(age),
    }
