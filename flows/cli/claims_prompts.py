"""The questions of `observatory claims add` on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import typer
import yaml

from flows.cli import lazy
from flows.cli.output import print_line, print_notice

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

MEANINGS = ("stated", "plain", "open")
RELATIONS = ("equals", "at_least", "at_most", "above", "below", "ahead")
Fields = dict[str, Any]


def ask_for_missing(
    about: Fields, measure: Fields, check: Fields, says: str | None
) -> tuple[Fields, Fields, Fields, str]:
    """What is given, completed by the answers to questions."""
    about = _source(about)
    check = _test(check)
    says = says or _text("How the test understands the statement")
    return about, _measure(measure), check, says


def _source(given: Fields) -> Fields:
    """Statement, source, and the source's definition."""
    found = dict(given)
    _ask(found, "statement", "Statement in English")
    _ask(found, "id", "Id (lower case, with hyphens)")
    _ask(found, "publisher", "Who made the statement")
    _ask(found, "source", "Where: page, figure or time, and how it is known")
    if "url" not in found and "url_searched_on" not in found:
        _may_ask(found, "url", "Page with the statement, https://... (empty = none was found)")
        if "url" not in found:
            _ask(found, "url_searched_on", "Day on which it was searched, YYYY-MM-DD")
    if "quote" not in found:
        _may_ask(found, "quote", "Its exact words (empty = not known)")
    if "quote" in found:
        _ask(found, "quote_language", "Language of these words (en, hi, zh)", "en")
    for name, question in (
        ("published_on", "Day of publication, YYYY-MM-DD (empty = not known)"),
        ("as_of", "Day that it is about, YYYY-MM-DD (empty = not stated)"),
    ):
        _may_ask(found, name, question)
    _ask(found, "period", "That day or period in words", str(found.get("as_of", "not stated")))
    _ask(found, "quantity", "What is measured")
    _may_ask(found, "source_definition", "Definition in the source's words (empty = none)")
    default = "stated" if "source_definition" in found else "plain"
    found.setdefault("meaning", _one_of("Meaning", MEANINGS, default))
    _may_ask(found, "definition_note", "Why the test differs from it (empty = it does not)")
    _may_ask(found, "hedge", "Limiting words and how the test takes them (empty = none)")
    _ask(found, "data_needed", "Data that would decide it")
    return found


def _measure(given: Fields) -> Fields:
    found = dict(given)
    units = lazy.claim_edit.units()
    _ask(found, "label", "Short name of the quantity")
    found.setdefault("unit", _one_of("Unit", units, units[0]))
    found.setdefault("relation", _one_of("Relation", RELATIONS, "at_least"))
    _ask(found, "stated", "Stated value (shares as parts of one)")
    _ask(found, "tolerance", "Largest difference that still agrees", "0")
    if found["relation"] == "equals":
        _ask(found, "tolerance_reason", "Why this tolerance")
    return {k: yaml.safe_load(v) if k in ("stated", "tolerance") else v for k, v in found.items()}


def _test(given: Fields) -> Fields:
    """The test with its parameters; those without a default are asked for first."""
    kinds = lazy.predicates.BY_NAME
    found = dict(given)
    if found.get("test") not in kinds:
        for name, kind in kinds.items():
            print_line(f"  {name}: {(kind.__doc__ or '').splitlines()[0]}")
        found["test"] = _one_of("Test", tuple(kinds), "outside")
    fields = kinds[found["test"]].model_fields
    for name, field in sorted(fields.items(), key=lambda item: not item[1].is_required()):
        if name not in found and name != "test":
            found |= _parameter(name, field)
    return found


def _parameter(name: str, field: FieldInfo) -> Fields:
    """One parameter; nothing if its default is kept."""
    default = None if field.is_required() else field.default
    choices = [c for c in get_args(field.annotation) if isinstance(c, str | int)]
    kinds = f" ({', '.join(map(str, choices))})" if choices else ""
    if field.is_required():
        return {name: _value(name, _text(f"{name}{kinds}"))}
    shown = "none" if default in (None, ()) else default
    answer = typer.prompt(f"{name}{kinds} (empty = {shown})", default="", show_default=False)
    return {name: _value(name, answer)} if answer else {}


def _value(name: str, answer: str) -> Any:  # noqa: ANN401  whatever the parameter is
    if name in ("names", "licenses"):
        return [item.strip() for item in answer.split(",")]
    return yaml.safe_load(answer)


def _ask(found: Fields, name: str, question: str, default: str | None = None) -> None:
    if name not in found:
        found[name] = _text(question, default)


def _may_ask(found: Fields, name: str, question: str) -> None:
    if name not in found and (answer := _optional(question)):
        found[name] = answer


def _text(question: str, default: str | None = None) -> str:
    return str(typer.prompt(question, default=default)).strip()


def _optional(question: str) -> str:
    return str(typer.prompt(question, default="", show_default=False)).strip()


def _one_of(question: str, values: Sequence[str], default: str) -> str:
    """An answer that is one of the values; asks again for any other."""
    while True:
        answer = _text(f"{question} ({', '.join(values)})", default)
        if answer in values:
            return answer
        print_notice(f"{answer!r} is not one of {', '.join(values)}")
