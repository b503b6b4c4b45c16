"""`observatory registry add`: writes a lab and its names with their evidence."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Annotated, Any

import typer

from flows.cli import lazy
from flows.cli.options import AsJson, date_of, flag
from flows.cli.output import print_json, print_line, print_notice
from flows.cli.registry_prompts import ask_for_missing
from warehouse.registry.entry import Entry


def _name_of(text: str) -> tuple[str, str]:
    """SYSTEM:NAME of the command line. Raises BadParameter."""
    system, _, name = text.partition(":")
    systems = lazy.vocabulary.vocabulary("naming_system")
    if system not in systems or not name:
        known = ", ".join(f"{each}:NAME" for each in systems)
        raise typer.BadParameter(f"{text!r} is not a name in a system; write one of {known}")
    return system, name


def _text(option: str, metavar: str, help: str) -> Any:  # noqa: ANN401  as in typer.Option
    """An option with a text."""
    return typer.Option(option, metavar=metavar, help=help)


Lab = Annotated[str | None, _text("--lab", "LAB_ID", "Id of the lab: lower case, with hyphens.")]
Name = Annotated[str | None, _text("--name", "TEXT", "Display name of the lab.")]
Kind = Annotated[str | None, _text("--kind", "KIND", "lab, academia, community, individual, ...")]
Country = Annotated[
    str | None, _text("--country", "CODE", "ISO 3166-1 alpha-2; ZZ if no single country is right.")
]
Parent = Annotated[
    str | None, _text("--parent", "LAB_ID", 'Lab that owns this one; "" for no owner.')
]
Names = Annotated[
    list[str] | None,
    typer.Option(
        "--namespace",
        metavar="SYSTEM:NAME",
        help="Name that belongs to the lab, such as hub:example-ai. Repeat it for several names.",
    ),
]
NameKind = Annotated[
    str | None, _text("--namespace-kind", "KIND", "Kind of the names. Default: the lab's kind.")
]
Basis = Annotated[str | None, _text("--basis", "TEXT", "What backs the rows, in a few words.")]
Url = Annotated[str | None, _text("--evidence-url", "URL", "Page about this lab or name.")]
ReadOn = Annotated[
    date | None,
    typer.Option("--read-on", parser=date_of, metavar="DATE", help="Day the page was read."),
]
Confidence = Annotated[
    str | None,
    _text(
        "--confidence", "LEVEL", "high: two independent sources; medium: one; low: own knowledge."
    ),
]
Note = Annotated[str | None, _text("--note", "TEXT", "Where the sources agree or conflict.")]
Reviewer = Annotated[str, _text("--reviewer", "NAME", "Who answers for the rows.")]
Supersede = Annotated[
    bool, flag("--supersede", help="The present rows are wrong: end them today, add better ones.")
]
Since = Annotated[
    date | None,
    typer.Option(
        "--since",
        parser=date_of,
        metavar="DATE",
        help="The lab moved or was sold: first day of the new state.",
    ),
]
DryRun = Annotated[bool, flag("--dry-run", help="Show the lines, write nothing.")]


@dataclass(frozen=True)
class Given:
    """What the command line and the prompts give, as texts of the CSV; None = not given."""

    lab: str | None
    lab_name: str | None
    kind: str | None
    country_code: str | None
    parent_lab_id: str | None
    names: tuple[str, ...]
    name_kind: str | None
    basis: str | None
    evidence_url: str | None
    evidence_read_on: str | None
    confidence: str | None
    note: str | None
    reviewer: str


def add(
    lab: Lab = None,
    name: Name = None,
    kind: Kind = None,
    country: Country = None,
    parent: Parent = None,
    namespace: Names = None,
    namespace_kind: NameKind = None,
    basis: Basis = None,
    evidence_url: Url = None,
    read_on: ReadOn = None,
    confidence: Confidence = None,
    note: Note = None,
    reviewer: Reviewer = "maintainers",
    supersede: Supersede = False,
    since: Since = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Add a lab, or names of a lab, with the evidence for them; or correct them.

    Asks for what is not given if it runs on a terminal. Checks the whole registry before it writes.
    """
    read = read_on.isoformat() if read_on else None
    given = Given(
        lab, name, kind, country, parent, tuple(namespace or ()), namespace_kind,
        basis, evidence_url, read, confidence, note, reviewer,
    )  # fmt: skip
    asks = sys.stdin.isatty() and not as_json
    if asks:
        given = replace(given, **ask_for_missing(asdict(given), is_change=supersede or bool(since)))
    _save(_entry(given, supersede, since), dry_run=dry_run, asks=asks, as_json=as_json)


def _entry(given: Given, supersede: bool, since: date | None) -> Entry:
    """The entry that is given. Raises BadParameter for what is missing."""
    if supersede and since:
        raise typer.BadParameter("give --supersede or --since, not both")
    needed = {"--lab": given.lab, "--basis": given.basis, "--confidence": given.confidence}
    if missing := [option for option, value in needed.items() if not value]:
        raise typer.BadParameter(f"give {' and '.join(missing)}, or run it on a terminal")
    cells = ("lab_name", "kind", "country_code", "parent_lab_id")
    about = {c: v for c in cells if (v := getattr(given, c)) is not None}
    evidence = ("basis", "evidence_url", "evidence_read_on", "reviewer", "confidence", "note")
    return Entry(
        lab_id=given.lab or "",
        known_from=lazy.settings.today(),
        evidence={c: getattr(given, c) or "" for c in evidence},
        lab=about,
        names=tuple(map(_name_of, given.names)),
        kind=given.name_kind,
        supersede=supersede,
        since=since,
    )


def _save(entry: Entry, *, dry_run: bool, asks: bool, as_json: bool) -> None:
    """Shows the lines of the entry, and writes them."""
    _suggest(entry)
    changed = lazy.edit.changes(entry)
    lines = {change.name: change.lines() for change in changed}
    if as_json:
        print_json({"written": not dry_run, "lines": lines})
    for name, each in () if as_json else lines.items():
        print_line(f"{name}:")
        for line in each:
            print_line(f"  {line}")
    if dry_run:
        print_notice("dry run: nothing was written")
    elif not asks or typer.confirm("Write these lines?", default=True):
        lazy.edit.write(changed)
        print_notice("written; `git diff` shows the change")


def _suggest(entry: Entry) -> None:
    """Names known already that look like the new lab or its names, on stderr."""
    known = set(lazy.load.read_registry("labs")["lab_id"])
    if entry.lab_id in known:
        return
    texts = [entry.lab_id, entry.lab.get("lab_name", ""), *(name for _, name in entry.names)]
    found = dict.fromkeys(s for text in texts if text for s in lazy.similar_names.similar(text))
    if found:
        print_notice(f"similar names in the registry: {', '.join(found)}")
