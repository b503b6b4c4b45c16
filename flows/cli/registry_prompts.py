"""The questions of `observatory registry add` on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from flows.cli import lazy
from flows.cli.output import print_notice

LEVELS = ("high", "medium", "low")


def ask_for_missing(given: dict[str, Any], *, is_change: bool) -> dict[str, Any]:
    """The values that are not given, from questions. `is_change`: rows of the lab are replaced."""
    answers: dict[str, Any] = {}
    lab = given["lab"] or _text("Id of the lab (lower case, with hyphens)")
    answers["lab"] = lab
    if lab not in set(lazy.load.read_registry("labs")["lab_id"]):
        _warn_of_similar(lab)
        answers |= _lab(given)
    if not given["names"] and not is_change:
        answers["names"] = _names()
    return answers | _evidence(given)


def _warn_of_similar(lab: str) -> None:
    if found := lazy.similar_names.similar(lab):
        print_notice(f"the lab is new; similar names in the registry: {', '.join(found)}")


def _lab(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "lab_name": given["lab_name"] or _text("Display name"),
        "kind": given["kind"] or _one_of("Kind", tuple(lazy.vocabulary.vocabulary("kind")), "lab"),
        "country_code": given["country_code"] or _text("Country (ISO 3166-1 alpha-2, ZZ = none)"),
        "parent_lab_id": _or_ask(given["parent_lab_id"], "Lab that owns it (empty = none)"),
    }


def _names() -> tuple[str, ...]:
    names: list[str] = []
    while name := _optional("Name as SYSTEM:NAME, such as hub:example-ai (empty = no more)"):
        names.append(name)
    return tuple(names)


def _evidence(given: dict[str, Any]) -> dict[str, Any]:
    basis = given["basis"] or _text("What backs it, such as company register or lab page")
    url = _or_ask(given["evidence_url"], "Page that says so, https://... (empty = none)")
    read = given["evidence_read_on"]
    if url and not read:
        read = _text("Day you read it, YYYY-MM-DD", lazy.settings.today().isoformat())
    level = "medium" if url else "low"
    return {
        "basis": basis,
        "evidence_url": url,
        "evidence_read_on": read,
        "confidence": given["confidence"] or _one_of("Confidence", LEVELS, level),
        "note": _or_ask(given["note"], "Note (empty = none)"),
    }


def _or_ask(value: str | None, question: str) -> str:
    return _optional(question) if value is None else value


def _optional(question: str) -> str:
    return str(typer.prompt(question, default="", show_default=False)).strip()


def _text(question: str, default: str | None = None) -> str:
    return str(typer.prompt(question, default=default)).strip()


def _one_of(question: str, values: Sequence[str], default: str) -> str:
    """One of the values; asks again for any other."""
    while (answer := _text(f"{question} ({', '.join(values)})", default)) not in values:
        print_notice(f"{answer!r} is not one of {', '.join(values)}")
    return answer
