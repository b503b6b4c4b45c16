"""Rules that a contract cannot express: on several columns, several rows or several snapshots.

A rule is SQL that selects the failing rows. To add one, add it to the module of its topic
in `expectations/rule_sets`; it runs wherever its table is validated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from expectations.rule import Rule
from expectations.rule_sets.ai_index import AI_INDEX
from expectations.rule_sets.arena import ARENA
from expectations.rule_sets.arena_ratings import ARENA_RATINGS
from expectations.rule_sets.claims import CLAIMS
from expectations.rule_sets.epoch import EPOCH
from expectations.rule_sets.hub import HUB
from expectations.rule_sets.identity import IDENTITY
from expectations.rule_sets.leaders import LEADERS
from expectations.rule_sets.openrouter import OPENROUTER
from expectations.rule_sets.pointers import POINTERS
from expectations.rule_sets.refused import REFUSED, refusal_rules
from expectations.rule_sets.windows import WINDOWS
from warehouse.contracts.table import Contract, quote

_TOPICS = (
    AI_INDEX,
    ARENA,
    ARENA_RATINGS,
    CLAIMS,
    EPOCH,
    HUB,
    IDENTITY,
    LEADERS,
    OPENROUTER,
    POINTERS,
    REFUSED,
    WINDOWS,
)
RULES: tuple[Rule, ...] = tuple(rule for topic in _TOPICS for rule in topic)

# The recorded Hub days are lists of the most liked and most downloaded models, of any length;
# only complete sweeps can be compared strictly.
FALL_IS_A_WARNING = frozenset({"raw.hub_models"})


def rules_for(contract: Contract, rules: Sequence[Rule] | None = None) -> list[Rule]:
    """The named rules of a table, then the rules of its snapshots and of refused records.

    The named rules are those of `RULES`, unless others are given.
    """
    named = [rule for rule in (RULES if rules is None else rules) if rule.table == contract.table]
    return [*named, *snapshot_rules(contract), *refusal_rules(contract)]


def snapshot_rules(contract: Contract) -> Iterator[Rule]:
    """Compare each snapshot of a raw table with the previous one of the same source and part."""
    fall = contract.thresholds.rows_fall_pct
    if contract.layer != "raw" or fall is None or "snapshot_id" not in contract.columns:
        return
    # Record numbers restart in every part (file or subset) of a snapshot.
    parts = [c for c in contract.key if c not in ("snapshot_id", "line")]
    parts = parts if "line" in contract.key else []
    each = f" of the same {', '.join(parts)}" if parts else ""
    yield Rule(
        "snapshot_rows_do_not_fall",
        contract.table,
        "warning" if contract.table in FALL_IS_A_WARNING else "critical",
        f"The newest snapshot of {contract.table} has at most {fall:g} % fewer rows than the "
        f"previous one{each}.",
        _fall_sql(parts, fall, "="),
    )
    # Sealed snapshots are permanent, so a short one must not stop every later run.
    yield Rule(
        "earlier_snapshot_rows_do_not_fall",
        contract.table,
        "warning",
        f"No earlier snapshot of {contract.table} has over {fall:g} % fewer rows than the one "
        f"before it{each}.",
        _fall_sql(parts, fall, "<"),
    )
    if parts:
        yield Rule(
            "snapshot_parts_are_kept",
            contract.table,
            "warning",
            f"The newest snapshot of {contract.table} has every {', '.join(parts)} of the previous "
            "one.",
            _lost_sql(parts),
        )


def _counts(parts: Sequence[str]) -> str:
    """Common table expression: rows of each part of each snapshot, with source and day."""
    columns = "".join(f", {quote(part)}" for part in parts)
    return (
        "counts AS (SELECT split_part(snapshot_id, '/', 1) AS source, "
        "split_part(snapshot_id, '/', 2) AS day, snapshot_id"
        f"{columns}, count(*) AS n_rows FROM {{batch}} GROUP BY ALL)"
    )


def _fall_sql(parts: Sequence[str], fall: float, age: str) -> str:
    """Falls of snapshots whose day is `age` (`=` or `<`) the source's newest day."""
    columns = "".join(f", {quote(part)}" for part in parts)
    return f"""
        WITH {_counts(parts)}, steps AS (
            SELECT *, lag(snapshot_id) OVER earlier AS previous_snapshot_id,
                lag(n_rows) OVER earlier AS previous_n_rows,
                max(day) OVER (PARTITION BY source) AS newest_day
            FROM counts WINDOW earlier AS (PARTITION BY source{columns} ORDER BY day)
        )
        SELECT snapshot_id{columns}, n_rows, previous_snapshot_id, previous_n_rows
        FROM steps WHERE n_rows < previous_n_rows * (1 - {fall!r} / 100)
            AND day {age} newest_day
    """


def _lost_sql(parts: Sequence[str]) -> str:
    columns = ", ".join(quote(part) for part in parts)
    return f"""
        WITH {_counts(parts)}, days AS (
            SELECT source, snapshot_id,
                row_number() OVER (PARTITION BY source ORDER BY day DESC) AS age
            FROM (SELECT DISTINCT source, day, snapshot_id FROM counts)
        )
        SELECT newest.snapshot_id, {columns}, previous.snapshot_id AS previous_snapshot_id
        FROM days AS newest JOIN days AS previous USING (source)
        JOIN counts AS had ON had.snapshot_id = previous.snapshot_id
        WHERE newest.age = 1 AND previous.age = 2 AND ({columns}) NOT IN (
            SELECT ({columns}) FROM counts WHERE counts.snapshot_id = newest.snapshot_id
        )
    """
