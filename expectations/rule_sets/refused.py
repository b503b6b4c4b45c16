"""Rules on what was refused: raw.quarantine beside the records that were kept.

What is critical for what. A part of a source's newest snapshot that was refused whole (a vintage, a
file, a board, a day of the Hub) stops the build: figures would go on with an older part without a
word. So does a refused share above the contract's bound (`thresholds.refused_pct`, with at least
`refused_rows` records), and more than half of a listing of the Hub. It stops the build until a
person decides: `observatory exclude SOURCE/DATE --reason TEXT` leaves that snapshot out, and the
others go on. Less than that, a rise, an older snapshot and single cells are warnings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from expectations.rule import Rule
from warehouse.contracts.table import Contract, literal

_RECORD = "CASE WHEN json_valid(record) THEN record END"
_SUBSET = "split_part(file_name, '/', 1)"
_AGAIN = "duplicate"  # of a record that was kept: nothing is missing
_HOW_TO_GO_ON = (
    "To go on with the older one: `observatory exclude SOURCE/DATE --reason TEXT`; to repair the "
    "reading, run again afterwards."
)


@dataclass(frozen=True)
class _Part:
    """SQL of the part that a record belongs to: in its table, and in raw.quarantine."""

    kept: str
    refused: str
    what: str


_SNAPSHOT = _Part("''", "''", "snapshot")
_FILE = _Part("file_name", "file_name", "file")
_BOARD = _Part(
    "concat_ws('/', subset, category, leaderboard_publish_date)",
    f"concat_ws('/', {_SUBSET}, {_RECORD} ->> '$.category', "
    f"left({_RECORD} ->> '$.leaderboard_publish_date', 10))",
    "board",
)
_VINTAGE = _Part("file_name", r"regexp_replace(file_name, '\.csv$', '')", "file of the vintage")
PARTS = {
    "raw.hub_models": _SNAPSHOT,
    "raw.hub_namespace_models": _SNAPSHOT,
    "raw.hub_datasets": _SNAPSHOT,
    "raw.hub_trending": _SNAPSHOT,
    "raw.hub_stats_models": _SNAPSHOT,
    "raw.epoch_models": _VINTAGE,
    "raw.epoch_capabilities": _VINTAGE,
    "raw.epoch_organizations": _VINTAGE,
    "raw.epoch_model_versions": _VINTAGE,
    "raw.arena_leaderboards": _BOARD,
    "raw.arena_agent_leaderboards": _BOARD,
    "raw.arena_space_tables": _FILE,
    "raw.arena_space_ratings": _Part(
        "concat_ws('/', file_name, subset, source_category)",
        f"concat_ws('/', file_name, {_RECORD} ->> '$.subset', {_RECORD} ->> '$.source_category')",
        "board",
    ),
    "raw.arena_catalog_ratings": _Part(
        "concat_ws('/', file_name, source_category)",
        f"concat_ws('/', file_name, json_keys({_RECORD})[1])",
        "board",
    ),
    "raw.ai_index_rows": _FILE,
}


REFUSED: tuple[Rule, ...] = (
    Rule(
        "newest_was_not_refused",
        "raw.quarantine",
        "warning",
        "No source's newest observation was refused at arrival or excluded by a person. Where one "
        "was, figures continue with the older snapshot that continues_with names.",
        "SELECT snapshot_id, refused_by, reason, continues_with "
        'FROM "meta"."refused_snapshots" WHERE is_newest',
    ),
)


def refusal_rules(contract: Contract) -> Iterator[Rule]:
    """The rules of a raw table that can refuse records; none for other tables."""
    if (part := PARTS.get(contract.table)) is None:
        return
    counted, table = _counted(contract, part), contract.table
    yield Rule(
        "newest_is_not_refused_whole",
        table,
        "critical",
        f"No {part.what} of the newest snapshot of {table} was refused whole: an older one would "
        f"stand in for it without a word. {_HOW_TO_GO_ON}",
        f"{counted} SELECT snapshot_id, part, n_refused, reason FROM parts "
        "WHERE is_newest AND n_kept = 0",
    )
    yield Rule(
        "earlier_is_not_refused_whole",
        table,
        "warning",
        f"No {part.what} of an earlier snapshot of {table} was refused whole.",
        f"{counted} SELECT snapshot_id, part, n_refused, reason FROM parts "
        "WHERE NOT is_newest AND n_kept = 0",
    )
    yield from _share_rules(contract, counted)
    yield Rule(
        "refusals_do_not_rise",
        table,
        "warning",
        f"Of the newest snapshot of {table} no larger share was refused than of the one before; "
        "none if there is none before.",
        f"""{counted}, steps AS (
            SELECT *, lag(snapshot_id) OVER earlier AS previous_snapshot_id,
                coalesce(lag(n_refused / (n_kept + n_refused)) OVER earlier, 0) AS previous_share
            FROM snapshots WINDOW earlier AS (PARTITION BY source ORDER BY snapshot_id)
        )
        SELECT snapshot_id, n_refused, n_kept, reason, previous_snapshot_id, previous_share
        FROM steps WHERE is_newest AND n_refused / (n_kept + n_refused) > previous_share""",
    )


def _share_rules(contract: Contract, counted: str) -> Iterator[Rule]:
    """Rules on the refused share of the newest snapshot: records, then cells of one column."""
    bound, least = contract.thresholds.refused_pct, contract.thresholds.refused_rows
    table, is_hub = contract.table, contract.table.startswith("raw.hub_")
    above = f"n_refused > (n_kept + n_refused) * {bound!r} / 100 AND n_refused >= {least}"
    yield Rule(
        "refused_records_are_few",
        table,
        "critical",
        f"At most {bound:g} % of the newest snapshot of {table} was refused, or fewer than {least} "
        f"records{', and never more than half' if is_hub else ''}. {_HOW_TO_GO_ON}",
        f"{counted} SELECT snapshot_id, n_refused, n_kept, reason FROM snapshots WHERE is_newest "
        f"AND ({above}{' OR n_refused > n_kept' if is_hub else ''})",
    )
    yield Rule(
        "refused_cells_are_few",
        table,
        "warning",
        f"Of no column of {table} more than {bound:g} % of the newest snapshot's cells could not "
        "be used; they are null.",
        f"""{counted}, cells AS (
            SELECT snapshot_id, column_name, count(*) AS n_cells, min(reason) AS reason
            FROM "raw"."quarantine" WHERE table_name = {literal(table)} AND kind = 'cell'
            GROUP BY ALL
        )
        SELECT snapshot_id, column_name, n_cells, n_kept, cells.reason
        FROM cells JOIN snapshots USING (snapshot_id)
        WHERE is_newest AND n_cells > n_kept * {bound!r} / 100""",
    )


def _counted(contract: Contract, part: _Part) -> str:
    """Common table expressions: kept and refused records by part and by snapshot of the table.

    The newest snapshot is that of the source, whether or not any record of it is in the table.
    """
    table = literal(contract.table)
    return f"""
        WITH kept AS (
            SELECT snapshot_id, {part.kept} AS part, count(*) AS n_kept FROM {{batch}} GROUP BY ALL
        ), refused AS (
            SELECT snapshot_id, {part.refused} AS part, count(*) AS n_refused, min(reason) AS reason
            FROM "raw"."quarantine"
            WHERE table_name = {table} AND kind = 'record' AND reason <> {literal(_AGAIN)}
            GROUP BY ALL
        ), newest AS (
            SELECT source, max(snapshot_id) AS newest_id FROM "meta"."snapshots"
            WHERE is_loaded GROUP BY source
        ), parts AS (
            SELECT snapshot_id, part, coalesce(n_kept, 0) AS n_kept,
                coalesce(n_refused, 0) AS n_refused, reason, source, snapshot_id = newest_id
                AS is_newest
            FROM kept FULL JOIN refused USING (snapshot_id, part)
            JOIN newest ON source = split_part(snapshot_id, '/', 1)
        ), snapshots AS (
            SELECT snapshot_id, source, is_newest, sum(n_kept) AS n_kept,
                sum(n_refused) AS n_refused, min(reason) AS reason
            FROM parts GROUP BY ALL
        )
    """
