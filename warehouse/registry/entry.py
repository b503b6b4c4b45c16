"""New and changed rows of labs.csv and namespaces.csv, for `observatory registry add`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

Row = dict[str, str]
Values = Mapping[str, str]
EVER = "1900-01-01"
# Cells that may be improved in place, see docs/registry.md.
EVIDENCE = ("basis", "evidence_url", "evidence_read_on", "reviewer", "confidence", "note")


class EntryError(ValueError):
    """An entry that does not fit the registry as it is; the message says what to do."""


@dataclass(frozen=True)
class Entry:
    """A lab, its names, or both. Cells are texts of the CSV; what is not given is absent."""

    lab_id: str
    known_from: date
    evidence: Values  # the cells EVIDENCE
    lab: Values = field(default_factory=dict)  # lab_name, kind, country_code, parent_lab_id
    names: tuple[tuple[str, str], ...] = ()  # system and namespace
    kind: str | None = None  # of the names; if absent, the lab's
    supersede: bool = False  # what the registry says was wrong
    since: date | None = None  # first day of the new state: the world changed


def revised_labs(rows: list[Row], entry: Entry) -> list[Row]:
    """The rows of labs.csv with the entry's lab. Raises EntryError."""
    if not entry.lab:
        return rows
    held = [r for r in rows if _same(r["lab_id"], entry.lab_id) and not r["known_to"]]
    place = f"lab {entry.lab_id!r}"
    if held:
        _require_intent(entry, held[-1], f"{place} is in labs.csv")
        return _changed(rows, _valid(held, entry, place), entry, entry.lab)
    if entry.supersede:
        raise EntryError(f"{place} is not in labs.csv; leave out --supersede to add it")
    needed = {"lab_name": "--name", "kind": "--kind", "country_code": "--country"}
    if missing := [option for cell, option in needed.items() if not entry.lab.get(cell)]:
        raise EntryError(f"{place} is new; give {' and '.join(missing)} too")
    return [*rows, _fresh(rows, entry, {"lab_id": entry.lab_id, **entry.lab})]


def revised_names(rows: list[Row], labs: list[Row], entry: Entry) -> list[Row]:
    """The rows of namespaces.csv with the entry's names; `labs` as revised. Raises EntryError."""
    kinds = {r["lab_id"]: r["kind"] for r in labs if not r["known_to"]}
    if entry.lab_id not in kinds:
        raise EntryError(
            f"lab {entry.lab_id!r} is not in labs.csv; correct --lab, or add the lab with --name, "
            "--kind and --country"
        )
    values = {"lab_id": entry.lab_id, "kind": entry.kind or kinds[entry.lab_id]}
    for system, name in entry.names:
        rows = _with_name(rows, entry, {"system": system, "namespace": name, **values})
    return rows


def _with_name(rows: list[Row], entry: Entry, values: Values) -> list[Row]:
    system, name = values["system"], values["namespace"]
    place = f"{system} name {name!r}"
    held = [
        r
        for r in rows
        if r["system"] == system and _same(r["namespace"], name) and not r["known_to"]
    ]
    if held:
        _require_intent(entry, held[-1], f"{place} belongs to {held[-1]['lab_id']!r}")
        spelled = {**values, "namespace": held[-1]["namespace"]}
        return _changed(rows, _valid(held, entry, place), entry, spelled)
    if entry.supersede and not entry.lab:
        raise EntryError(f"{place} is not in namespaces.csv; leave out --supersede to add it")
    return [*rows, _fresh(rows, entry, values)]


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _require_intent(entry: Entry, held: Row, fact: str) -> None:
    """Refuses a row that exists, unless the entry says why the existing one is to change."""
    if entry.supersede or entry.since:
        return
    says = ", ".join(held[c] for c in ("lab_name", "country_code", "kind") if held.get(c))
    hint = "To add only names, leave out --name, --kind, --country and --parent"
    raise EntryError(
        f"{fact} already ({says}). If that is wrong, add --supersede; if the lab moved or was "
        f"sold, add --since DATE. {hint if 'lab_name' in held else ''}".rstrip(". ")
    )


def _valid(held: list[Row], entry: Entry, place: str) -> Row:
    """The row that is valid on the first day of the change, or today for a correction."""
    day = (entry.since or entry.known_from).isoformat()
    for row in held:
        if row["valid_from"] <= day and (not row["valid_to"] or day < row["valid_to"]):
            return row
    raise EntryError(f"no row of {place} is valid on {day}; edit its periods by hand")


def _fresh(rows: list[Row], entry: Entry, values: Values) -> Row:
    start = entry.since.isoformat() if entry.since else EVER
    blank = dict.fromkeys(rows[0], "")
    return {**blank, "valid_from": start, **_known(entry), **values}


def _known(entry: Entry) -> Row:
    return {"known_from": entry.known_from.isoformat(), "known_to": "", **entry.evidence}


def _changed(rows: list[Row], old: Row, entry: Entry, values: Values) -> list[Row]:
    """The old row ends where knowledge is concerned, and one or two new ones take its place.

    A row that was learned on the same day is replaced, since nothing was published with it.
    """
    if all(old[cell] == value for cell, value in values.items()):
        raise EntryError(
            f"nothing but the evidence of {values.get('namespace', entry.lab_id)!r} would change; "
            f"edit {', '.join(EVIDENCE)} in place"
        )
    new = {**old, **_known(entry), **values}
    after = [new]
    if entry.since:
        day = entry.since.isoformat()
        if old["valid_from"] == day:
            raise EntryError(f"the row is valid from {day} already; use --supersede to correct it")
        after = [{**old, **_known(entry), "valid_to": day}, {**new, "valid_from": day}]
    today = entry.known_from.isoformat()
    ended = [] if old["known_from"] == today else [{**old, "known_to": today}]
    return [other for row in rows for other in ([*ended, *after] if row is old else [row])]
