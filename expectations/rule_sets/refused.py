"""Rules on refused records: raw.quarantine compared with the records that were loaded.

Three things stop the build: a part of a source's newest snapshot that was refused entirely (a
vintage, a file, a board, a day of the Hub), because figures would silently continue with an older
part; a refused share above the contract's limit (`thresholds.refused_pct`, with at least
`refused_rows` records); and more than half of a listing of the Hub. The build stops until a person
decides: `observatory exclude SOURCE/DATE --reason TEXT` excludes that snapshot, and builds continue
without it. Everything below these limits, older snapshots and single cells are warnings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from expectations.rule import Rule, on
from warehouse.contracts.table import Contract, literal

_RECORD = "CASE WHEN json_valid(record) THEN record END"
_SUBSET = "split_part(file_name, '/', 1)"
_DUPLICATE = "duplicate"  # of a record that was loaded: nothing is missing
_HOW_TO_CONTINUE = (
    "To continue with the older one, run `observatory exclude SOURCE/DATE --reason TEXT`; or "
    "correct the parser and run again."
)


@dataclass(frozen=True)
class _Part:
    """SQL of the part that a record belongs to, in its table and in raw.quarantine."""

    loaded: str
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
    "raw.hub_evolution_counters": _SNAPSHOT,
    "raw.hub_trending_feed": _SNAPSHOT,
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
    "raw.openrouter_rankings": _SNAPSHOT,
}


REFUSED: tuple[Rule, ...] = (
    on("raw.quarantine").warning(
        "newest_snapshot_is_used",
        "No source's newest snapshot was refused on arrival or excluded by a person. Otherwise "
        "figures continue with the older snapshot in continues_with.",
        "SELECT snapshot_id, refused_by, reason, continues_with "
        'FROM "meta"."refused_snapshots" WHERE is_newest',
    ),
)


def refusal_rules(contract: Contract) -> Iterator[Rule]:
    """The rules of a raw table whose records can be refused; none for other tables."""
    if (part := PARTS.get(contract.table)) is None:
        return
    counted, table = _counted(contract, part), contract.table
    yield on(table).critical(
        "newest_part_is_not_refused_entirely",
        f"No {part.what} of the newest snapshot of {table} was refused entirely; otherwise figures "
        f"would silently use an older one. {_HOW_TO_CONTINUE}",
        f"{counted} SELECT snapshot_id, part, n_refused, reason FROM parts "
        "WHERE is_newest AND n_loaded = 0",
    )
    yield on(table).warning(
        "earlier_part_is_not_refused_entirely",
        f"No {part.what} of an earlier snapshot of {table} was refused entirely.",
        f"{counted} SELECT snapshot_id, part, n_refused, reason FROM parts "
        "WHERE NOT is_newest AND n_loaded = 0",
    )
    yield from _share_rules(contract, counted)
    yield on(table).warning(
        "refusals_do_not_rise",
        f"The refused share of the newest snapshot of {table} is at most that of the previous "
        "one, and zero if there is none.",
        f"""{counted}, steps AS (
            SELECT *, lag(snapshot_id) OVER earlier AS previous_snapshot_id,
                coalesce(lag(n_refused / (n_loaded + n_refused)) OVER earlier, 0) AS previous_share
            FROM snapshots WINDOW earlier AS (PARTITION BY source ORDER BY snapshot_id)
        )
        SELECT snapshot_id, n_refused, n_loaded, reason, previous_snapshot_id, previous_share
        FROM steps WHERE is_newest AND n_refused / (n_loaded + n_refused) > previous_share""",
    )


def _share_rules(contract: Contract, counted: str) -> Iterator[Rule]:
    """Rules on the refused share of the newest snapshot: records, then cells of one column."""
    bound, least = contract.thresholds.refused_pct, contract.thresholds.refused_rows
    table, is_hub = contract.table, contract.table.startswith("raw.hub_")
    above = f"n_refused > (n_loaded + n_refused) * {bound!r} / 100 AND n_refused >= {least}"
    yield on(table).critical(
        "refused_records_are_few",
        f"At most {bound:g} % of the newest snapshot of {table} was refused, or fewer than {least} "
        f"records{', and never more than half' if is_hub else ''}. {_HOW_TO_CONTINUE}",
        f"{counted} SELECT snapshot_id, n_refused, n_loaded, reason FROM snapshots WHERE is_newest "
        f"AND ({above}{' OR n_refused > n_loaded' if is_hub else ''})",
    )
    yield on(table).warning(
        "refused_cells_are_few",
        f"In every column of {table} at most {bound:g} % of the newest snapshot's cells were "
        "unusable and set to null.",
        f"""{counted}, cells AS (
            SELECT snapshot_id, column_name, count(*) AS n_cells, min(reason) AS reason
            FROM "raw"."quarantine" WHERE table_name = {literal(table)} AND kind = 'cell'
            GROUP BY ALL
        )
        SELECT snapshot_id, column_name, n_cells, n_loaded, cells.reason
        FROM cells JOIN snapshots USING (snapshot_id)
        WHERE is_newest AND n_cells > n_loaded * {bound!r} / 100""",
    )


def _counted(contract: Contract, part: _Part) -> str:
    """Common table expressions: loaded and refused records by part and by snapshot of the table.

    The newest snapshot is that of the source, even if none of its records was loaded.
    """
    table = literal(contract.table)
    return f"""
        WITH loaded AS (
            SELECT snapshot_id, {part.loaded} AS part, count(*) AS n_loaded
            FROM {{batch}} GROUP BY ALL
        ), refused AS (
            SELECT snapshot_id, {part.refused} AS part, count(*) AS n_refused, min(reason) AS reason
            FROM "raw"."quarantine"
            WHERE table_name = {table} AND kind = 'record' AND reason <> {literal(_DUPLICATE)}
            GROUP BY ALL
        ), newest AS (
            SELECT source, max(snapshot_id) AS newest_id FROM "meta"."snapshots"
            WHERE is_loaded GROUP BY source
        ), parts AS (
            SELECT snapshot_id, part, coalesce(n_loaded, 0) AS n_loaded,
                coalesce(n_refused, 0) AS n_refused, reason, source, snapshot_id = newest_id
                AS is_newest
            FROM loaded FULL JOIN refused USING (snapshot_id, part)
            JOIN newest ON source = split_part(snapshot_id, '/', 1)
        ), snapshots AS (
            SELECT snapshot_id, source, is_newest, sum(n_loaded) AS n_loaded,
                sum(n_refused) AS n_refused, min(reason) AS reason
            FROM parts GROUP BY ALL
        )
    """
