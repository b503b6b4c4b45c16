"""The parts of a manifest about provenance: sources, what was left out, validation results.

Each function reads the warehouse file of the release, attached as `built`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC

import duckdb

from warehouse.contracts.source import Card
from warehouse.contracts.table import quote
from warehouse.releases.licensing import ReleasePlan, TableScope, license_entry
from warehouse.releases.manifest import LeftOut, ReleaseError, SnapshotEntry, SourceEntry


def lineage(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """(table, input table) of the build. Raises ReleaseError if the build has no lineage."""
    try:
        return con.execute("FROM built.meta.lineage SELECT table_name, input_table").fetchall()
    except duckdb.CatalogException as error:
        raise ReleaseError(
            "the warehouse has no table meta.lineage, which is needed to find the licenses of each "
            "table; build the warehouse again"
        ) from error


def left_out(con: duckdb.DuckDBPyConnection, plan: ReleasePlan) -> tuple[LeftOut, ...]:
    """One entry per table and source whose terms exclude the table or rows of it."""
    return tuple(_left_out(con, one, card) for one in plan.shares.values() for card in one.withheld)


def _left_out(con: duckdb.DuckDBPyConnection, one: TableScope, card: Card) -> LeftOut:
    predicate = None if one.is_left_out else one.contract.license_rows[card.id]
    condition = "true" if predicate is None else f"coalesce(({predicate}), true)"
    query = f"FROM built.{one.contract.sql_name} SELECT count(*) WHERE {condition}"
    return LeftOut(
        table=one.contract.table,
        source=card.id,
        license=card.license.raw,
        predicate=predicate,
        rows=con.execute(query).fetchall()[0][0],
        reason=f"{card.title}: {card.license.ours}",
    )


def sources(
    con: duckdb.DuckDBPyConnection, plan: ReleasePlan, cards: Mapping[str, Card]
) -> tuple[SourceEntry, ...]:
    """Sources of the released tables or with a snapshot in the build, without withheld ones."""
    snapshots = _snapshots(con, plan, cards)
    named = {entry.source for one in plan.included for entry in one.licenses}
    wanted = sorted((named | set(snapshots)) - set(plan.withheld))
    return tuple(_source(cards[name], tuple(snapshots.get(name, ()))) for name in wanted)


def _source(card: Card, snapshots: tuple[SnapshotEntry, ...]) -> SourceEntry:
    return SourceEntry(
        source=card.id,
        producer=card.producer,
        homepage=card.homepage,
        license=license_entry(card),
        citation=card.citation,
        files=sum(s.files for s in snapshots),
        bytes=sum(s.bytes for s in snapshots),
        snapshots=snapshots,
    )


def _snapshots(
    con: duckdb.DuckDBPyConnection, plan: ReleasePlan, cards: Mapping[str, Card]
) -> dict[str, list[SnapshotEntry]]:
    """Snapshots by source, in order of date. Raises ReleaseError for a source without a card."""
    if "meta.snapshots" not in plan.meta:
        return {}
    fields = tuple(SnapshotEntry.model_fields)
    columns = ", ".join(map(quote, ("source", *fields)))
    order = "source, snapshot_date, snapshot_id"
    rows = con.execute(f"FROM built.meta.snapshots SELECT {columns} ORDER BY {order}").fetchall()
    found: dict[str, list[SnapshotEntry]] = {}
    for source, *values in rows:
        if source not in cards:
            raise ReleaseError(
                f"meta.snapshots names source {source!r}, which has no source card; add "
                f"warehouse/contracts/sources/{source}.yml or build the warehouse again"
            )
        about = dict(zip(fields, values, strict=True))
        about["retrieved_at"] = about["retrieved_at"].replace(tzinfo=UTC)
        if about["citation"] == cards[source].citation:
            about["citation"] = None
        found.setdefault(source, []).append(SnapshotEntry(**about))
    return found


def validation(con: duckdb.DuckDBPyConnection, plan: ReleasePlan) -> dict[str, dict[str, int]]:
    """Numbers of results by stage and outcome, of the rows that the release contains."""
    contract = plan.meta.get("meta.validation_results")
    if contract is None:
        return {}
    rows = con.execute(
        f"FROM built.{contract.sql_name} SELECT stage, outcome, count(*) "
        f"WHERE {plan.meta_rows(contract)} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    counts: dict[str, dict[str, int]] = {}
    for stage, outcome, number in rows:
        counts.setdefault(stage, {})[outcome] = number
    return counts
