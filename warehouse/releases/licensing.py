"""What a release may contain, decided from the contracts' license inputs and the source cards.

An `internal` release contains everything. A `public` one contains what every source behind a table
allows to share in adapted form. A table under stricter terms is left out, or only the rows that
carry those terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from warehouse.contracts.source import Card, card
from warehouse.contracts.table import Contract, contracts, literal, quote
from warehouse.releases.manifest import Audience, LicenseEntry, ReleaseError

NOTHING = (
    "false"  # predicate of `license_rows`: the table reads the source and contains no data of it
)


@dataclass(frozen=True)
class TableScope:
    """What a release includes of one table, and the cards whose terms exclude rows of it."""

    contract: Contract
    cards: tuple[Card, ...]
    withheld: tuple[Card, ...] = ()

    @property
    def is_left_out(self) -> bool:
        """Whether strict terms exclude the whole table, since no predicate names the rows."""
        return any(c.id not in self.contract.license_rows for c in self.withheld)

    @property
    def included_rows(self) -> str:
        """SQL condition of the included rows. A predicate that is NULL excludes the row."""
        rules = [f"NOT coalesce(({self.contract.license_rows[c.id]}), true)" for c in self.withheld]
        return " AND ".join(rules) or "true"

    @property
    def licenses(self) -> tuple[LicenseEntry, ...]:
        """The terms of every source with data in the released table."""
        free = [c for c in self.cards if c not in self.withheld]
        return tuple(license_entry(c) for c in free)


def license_entry(card: Card) -> LicenseEntry:
    """A card's terms as an entry of the manifest."""
    terms = card.license
    return LicenseEntry(source=card.id, **terms.model_dump())


def table_scope(contract: Contract, cards: Mapping[str, Card], audience: Audience) -> TableScope:
    """What a release for this audience may include of one table.

    Raises ReleaseError for a source without a card, and in a public release for a table that names
    no source: nothing is shared by omission.
    """
    named = _named(contract)
    if unknown := sorted(s for s in named if s not in cards):
        raise ReleaseError(
            f"{contract.table}: license input {unknown[0]!r} has no source card; add "
            f"warehouse/contracts/sources/{unknown[0]}.yml or correct the contract"
        )
    known = tuple(cards[s] for s in sorted(named) if contract.license_rows.get(s) != NOTHING)
    if audience == "internal":
        return TableScope(contract, known)
    if not named:
        raise ReleaseError(
            f"{contract.table} names no license_inputs, so a public release cannot include it; "
            "name its sources in the contract (`registry` for the project's own data)"
        )
    return TableScope(contract, known, tuple(c for c in known if not c.may_share_derived))


@dataclass(frozen=True)
class ReleasePlan:
    """The content of a release, by table name in the order of the contracts."""

    shares: dict[str, TableScope]  # raw, core and mart
    meta: dict[str, Contract]
    withheld: tuple[str, ...]  # sources whose terms exclude something

    @property
    def included(self) -> list[TableScope]:
        """Tables that are included, completely or in part."""
        return [s for s in self.shares.values() if not s.is_left_out]

    @property
    def contracts(self) -> list[Contract]:
        """Every table that the release reads from the warehouse."""
        return [*(s.contract for s in self.shares.values()), *self.meta.values()]

    @property
    def _touched(self) -> list[str]:
        return [table for table, s in self.shares.items() if s.withheld]

    def meta_rows(self, contract: Contract) -> str:
        """SQL condition of the rows of a meta table that reveal nothing of what is left out.

        Lineage loses the edges of tables that are left out. Validation results are also left out
        if their table lost only some rows, or if they name no table.
        """
        wholly = [t for t, s in self.shares.items() if s.is_left_out]
        tables = wholly if contract.table == "meta.lineage" else self._touched
        barred = {"source": self.withheld, "table_name": tables, "input_table": tables}
        rules = [
            f"coalesce({quote(column)} NOT IN ({', '.join(map(literal, names))}), false)"
            for column, names in barred.items()
            if column in contract.columns and names
        ]
        return " AND ".join(rules) or "true"

    def meta_relation(self, contract: Contract, relation: str) -> str:
        """A meta table without quoted rows: a rule may quote rows of a table that is left out."""
        if self._touched and contract.table == "meta.validation_results":
            return f"(FROM {relation} SELECT * REPLACE (CAST(NULL AS VARCHAR) AS details))"
        return relation


def inherit(
    tables: Mapping[str, Contract], edges: Iterable[tuple[str, str]]
) -> dict[str, Contract]:
    """The contracts, each with the sources of all tables that it was computed from.

    `edges` are (table, input table). A contract need not repeat the sources of its inputs. A source
    of which a table contains no data is not passed on to the tables that read it.
    """
    reads: dict[str, set[str]] = {}
    for table, input_table in edges:
        if table in tables and input_table in tables:
            reads.setdefault(table, set()).add(input_table)
    found = dict(tables)
    for name in TopologicalSorter(reads).static_order():
        contract = tables[name]
        passed = {s for i in reads.get(name, ()) for s in _held(found[i])}
        named = sorted(passed - _named(contract)) if contract.layer != "meta" else []
        inputs = (*contract.license_inputs, *named)
        found[name] = contract.model_copy(update={"license_inputs": inputs})
    return {name: found[name] for name in tables}


def table_sources(edges: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Rows of meta.table_sources for the tables of the contracts, with these edges of lineage."""
    found = inherit(contracts(), edges)
    return [
        (name, source, terms.raw, terms.ours, terms.redistribution, card(source).citation)
        for name, contract in found.items()
        for source in sorted(_held(contract))
        for terms in (card(source).license,)
    ]


def _held(contract: Contract) -> set[str]:
    return {s for s in _named(contract) if contract.license_rows.get(s) != NOTHING}


def plan_release(
    tables: Mapping[str, Contract], cards: Mapping[str, Card], audience: Audience
) -> ReleasePlan:
    """The content of a release for this audience. Raises ReleaseError."""
    published = {name: contract for name, contract in tables.items() if contract.published}
    strict = tuple(c.id for c in cards.values() if not c.may_share_derived)
    return ReleasePlan(
        shares={
            n: table_scope(c, cards, audience) for n, c in published.items() if c.layer != "meta"
        },
        meta={n: c for n, c in published.items() if c.layer == "meta"},
        withheld=strict if audience == "public" else (),
    )


def check_lineage(
    tables: Mapping[str, Contract], cards: Mapping[str, Card], edges: Iterable[tuple[str, str]]
) -> None:
    """Raises ReleaseError if a table does not name the strict source of a table that it reads.

    `edges` are (table, input table). Since every edge is checked, a contract that forgot a source
    cannot publish its figures. A table that reads a strict source and contains none of its data
    has `license_rows: {<source>: "false"}`.
    """
    for table, input_table in edges:
        if table not in tables or input_table not in tables:
            continue
        unnamed = _named(tables[input_table]) - _named(tables[table])
        if missing := sorted(s for s in unnamed if s in cards and not cards[s].may_share_derived):
            raise ReleaseError(
                f"{table} reads {input_table}, which is under the terms of {missing[0]!r}, but "
                f"does not name that source; add it to license_inputs of "
                f"warehouse/contracts/tables/{table.replace('.', '/')}.yml"
            )


def _named(contract: Contract) -> set[str]:
    return {*contract.license_inputs, *contract.license_rows}
