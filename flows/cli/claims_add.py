"""`observatory claims add`: writes a published statement and shows its verdict."""

from __future__ import annotations

import sys
from datetime import date
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from flows.cli import lazy
from flows.cli.claims_output import print_statement
from flows.cli.claims_prompts import ask_for_missing
from flows.cli.options import AsJson, WarehouseFile, date_of, flag, settings_from
from flows.cli.output import print_json, print_line, progress

if TYPE_CHECKING:
    from warehouse.claims.claim import Claim


def _text(option: str, help: str, metavar: str = "TEXT") -> Any:  # noqa: ANN401  as typer.Option
    return typer.Option(option, metavar=metavar, help=help)


def _day(option: str, help: str) -> Any:  # noqa: ANN401
    return typer.Option(option, metavar="DATE", parser=date_of, help=help)


Text = str | None
Day = date | None
From = Annotated[
    Path | None,
    typer.Option(
        "--file", metavar="FILE", help="Read the fields from a YAML file; - reads standard input."
    ),
]
Id = Annotated[Text, _text("--id", "Id: lower case, with hyphens.", "ID")]
Statement = Annotated[Text, _text("--statement", "The statement in English.")]
Publisher = Annotated[Text, _text("--publisher", "Who made the statement.")]
Source = Annotated[Text, _text("--source", "Page, figure or time, and how it is known.")]
Url = Annotated[Text, _text("--url", "Page with the statement.", "URL")]
Searched = Annotated[Day, _day("--url-searched-on", "Day of a search that found no page.")]
Quote = Annotated[Text, _text("--quote", "The exact words of the source.")]
Language = Annotated[Text, _text("--quote-language", "Language of the quote: en, hi, zh.", "TAG")]
Published = Annotated[Day, _day("--published-on", "Day of publication.")]
AsOf = Annotated[Day, _day("--as-of", "Day that the statement is about.")]
Period = Annotated[Text, _text("--period", "That day or period in words.")]
Quantity = Annotated[Text, _text("--quantity", "What is measured.")]
Defined = Annotated[
    Text, _text("--source-definition", "The definition that the source gives, word for word.")
]
Meaning = Annotated[
    Text,
    _text(
        "--meaning",
        "stated: the source defines it; plain: the words have one meaning; open: neither.",
        "WORD",
    ),
]
Note = Annotated[Text, _text("--definition-note", "Why the test differs from that definition.")]
Hedge = Annotated[Text, _text("--hedge", "Limiting words, and how the test takes them.")]
Needed = Annotated[Text, _text("--data-needed", "Data that would decide it.")]
Test = Annotated[Text, _text("--test", "Name of a test; an unknown one lists all.", "NAME")]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        metavar="NAME=VALUE",
        help="Parameter of the test. Repeat it for several; commas separate the items of a list.",
    ),
]
Label = Annotated[Text, _text("--label", "Short name of the quantity.")]
Unit = Annotated[Text, _text("--unit", "Unit of the stated value.", "UNIT")]
Relation = Annotated[
    Text,
    _text("--relation", "equals, at_least, at_most, above, below or ahead.", "WORD"),
]
Stated = Annotated[
    float | None, typer.Option("--stated", metavar="NUMBER", help="The stated value.")
]
Tolerance = Annotated[
    float | None,
    typer.Option("--tolerance", metavar="NUMBER", help="Largest difference that still agrees."),
]
Because = Annotated[Text, _text("--tolerance-reason", "Why the tolerance has this size.")]
Says = Annotated[Text, _text("--definition", "How the test understands the statement.")]
To = Annotated[
    Text,
    _text(
        "--to", "File of statements, by name. Default: the one with most uses of the test.", "NAME"
    ),
]
DryRun = Annotated[bool, flag("--dry-run", help="Show entry and verdict, write nothing.")]


CLAIM_FIELDS = {
    **{"statement": Statement, "quote": Quote, "quote_language": Language},
    **{"publisher": Publisher, "source": Source, "url": Url, "url_searched_on": Searched},
    **{"published_on": Published, "as_of": AsOf, "period": Period, "quantity": Quantity},
    **{"source_definition": Defined, "meaning": Meaning, "definition_note": Note, "hedge": Hedge},
    "data_needed": Needed,
}
MEASURE_FIELDS = {
    **{"label": Label, "unit": Unit, "relation": Relation, "stated": Stated},
    **{"tolerance": Tolerance, "tolerance_reason": Because},
}
OPTIONS: dict[str, Any] = {
    **{"file": From, "claim_id": Id, **CLAIM_FIELDS, "test": Test, "parameter": Parameters},
    **{**MEASURE_FIELDS, "definition": Says, "to": To, "warehouse": WarehouseFile},
    **{"dry_run": DryRun, "as_json": AsJson},
}


def add(**given: Any) -> None:  # noqa: ANN401  see OPTIONS
    """Add a published statement, and show its verdict on the present warehouse at once.

    Asks for what is not given if it runs on a terminal. A statement with several quantities or
    definitions is written as YAML and read with --file.
    """
    about = {name: given[name] for name in CLAIM_FIELDS if given[name] is not None}
    if given["claim_id"]:
        about = {"id": given["claim_id"], **about}
    claim = _read(given["file"], about) if given["file"] else _from_options(about, given)
    warehouse = settings_from(warehouse=given["warehouse"]).warehouse
    _save(claim, given["to"], warehouse, dry_run=given["dry_run"], as_json=given["as_json"])


# One parameter per option: the command line reads the signature.
add.__signature__ = Signature(  # type: ignore[attr-defined]
    [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind,
                  default=False if name in ("dry_run", "as_json") else None)
        for name, kind in OPTIONS.items()
    ]
)  # fmt: skip


def _read(file: Path, about: dict[str, Any]) -> Claim:
    """The claim of a YAML file, an entry or a list of one; options replace its fields."""
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    fields = lazy.claim_edit.fields_of(text, str(file))
    return lazy.claim_edit.claim_of({**fields, **about}, str(file))


def _from_options(about: dict[str, Any], given: dict[str, Any]) -> Claim:
    """The claim that the options and the answers give: one quantity and one definition."""
    measure = {name: given[name] for name in MEASURE_FIELDS if given[name] is not None}
    check = dict(_parameter(text) for text in given["parameter"] or [])
    if given["test"] is not None:
        check = {"test": given["test"], **check}
    says = given["definition"]
    if sys.stdin.isatty() and not given["as_json"]:
        about, measure, check, says = ask_for_missing(about, measure, check, says)
    own = {"id": "as_stated", "says": says or about.get("quantity"), "is_own": True}
    fields = {**about, "measures": [{"id": "value", **measure, "check": check}]}
    return lazy.claim_edit.claim_of({**fields, "definitions": [own]}, "claim")


def _parameter(text: str) -> tuple[str, Any]:
    """NAME=VALUE of the command line; a value with commas is a list. Raises BadParameter."""
    name, is_given, value = text.partition("=")
    if not is_given:
        raise typer.BadParameter(f"{text!r} is not a parameter; write NAME=VALUE")
    if name in ("names", "licenses"):
        return name, [item.strip() for item in value.split(",")]
    return name, yaml.safe_load(value)


def _save(claim: Claim, to: str | None, warehouse: Path, *, dry_run: bool, as_json: bool) -> None:
    """Shows the verdict and writes the entry."""
    path = _file(claim, to)
    with progress("testing the statement"):
        found = lazy.claim_verdict.verdict_on(warehouse, claim)
    if not dry_run:
        lazy.claim_edit.add_claim(claim, path)
    if as_json:
        print_json({"file": None if dry_run else str(path), **found})
        return
    if dry_run:
        print_line(lazy.claim_edit.claim_text(claim))
    print_statement(claim.id, found)
    print_line()
    print_line(
        f"not written (dry run); it would be added to {path}" if dry_run
        else f"added to {path}; its Hindi text belongs in warehouse/site/text/hi.yml as "
        f"claim.{claim.id}"
    )  # fmt: skip


def _file(claim: Claim, to: str | None) -> Path:
    files = lazy.claim_edit.statement_files()
    name = to.removesuffix(".yml") if to else None
    if name and name not in files:
        raise typer.BadParameter(f"no file of statements {to!r}; use one of {', '.join(files)}")
    return files[name] if name else lazy.claim_edit.file_for(claim)
