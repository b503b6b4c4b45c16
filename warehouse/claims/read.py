"""Reads the files of claims; every error has a file, a line, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from warehouse.claims.claim import Claim, Definition, Measure
from warehouse.claims.predicates import BY_NAME, TESTS
from warehouse.contracts.yaml_files import parse_yaml

CLAIMS = Path(__file__).parent / "statements"
EXAMPLES = {
    "url": "a web address such as https://example.org/report",
    "quote_language": "a language tag such as en, hi or zh",
    "source_definition_language": "a language tag such as en, hi or zh",
}


class ClaimError(ValueError):
    """Invalid files of claims; the message lists every error with its file and line."""


def read_claims(path: Path) -> tuple[Claim, ...]:
    """The claims of one file. Raises ClaimError with file, line and field of every error."""
    return parse_claims(path.read_text(encoding="utf-8"), str(path))


def parse_claims(text: str, name: str) -> tuple[Claim, ...]:
    """The claims of a text; `name` is what errors call it. Raises ClaimError."""
    try:
        return TypeAdapter(tuple[Claim, ...]).validate_python(parse_yaml(text))
    except yaml.YAMLError as error:
        raise ClaimError(f"{name}: {error}") from error
    except ValidationError as error:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = [
            f"{name}:{_line(root, e['loc'])}: {'.'.join(map(str, e['loc']))}: {advice(e)}"
            for e in error.errors()
        ]
        raise ClaimError("\n".join(lines)) from error


def advice(error: ErrorDetails) -> str:
    """What is wrong with a field and what to do about it."""
    kind, given = error["type"], error["input"]
    said = error["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return f"unknown field; use one of {', '.join(_fields_beside(error['loc']))}, or remove it"
    if kind == "tuple_type":
        return "not a list; begin every entry with '- '"
    if kind == "missing":
        return "required; add it"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return f"no such test; use one of {', '.join(TESTS)}"
    if kind == "literal_error":
        return f"{given!r} is not allowed; use {error['ctx']['expected']}"
    if kind.startswith("date"):
        return f"{given!r} is not a day; write it as 2025-12-31, without a time"
    if kind == "string_pattern_mismatch":
        form = EXAMPLES.get(str(error["loc"][-1]), error["ctx"]["pattern"])
        return f"{given!r} is not valid; use {form}"
    return f"{said} (given: {given!r})" if isinstance(given, str | int | float) else said


def _fields_beside(place: tuple[int | str, ...]) -> list[str]:
    """The fields of the part of a claim that `place` is in."""
    test = next((part for part in place if part in BY_NAME), None)
    parts: dict[str, type[BaseModel]] = {"measures": Measure, "definitions": Definition}
    part = next((parts[p] for p in place if isinstance(p, str) and p in parts), Claim)
    model = BY_NAME[str(test)] if test else part
    return sorted(model.model_fields)


def _line(node: yaml.Node | None, place: tuple[int | str, ...]) -> int:
    """Line of the deepest part of the document on the path `place`."""
    line = 1
    for part in place:
        children = dict(_children(node))
        if part not in children:
            continue  # pydantic adds the variant of a test to the path
        node = children[part]
        line = int(node.start_mark.line) + 1
    return line


def _children(node: yaml.Node | None) -> Iterator[tuple[int | str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((key.value, value) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from enumerate(node.value)


@cache
def claims() -> tuple[Claim, ...]:
    """Every claim of the repository, by id. Raises ClaimError."""
    files = {path: read_claims(path) for path in sorted(CLAIMS.glob("*.yml"))}
    where: dict[str, Path] = {}
    for path, found in files.items():
        for claim in found:
            if claim.id in where:
                raise ClaimError(
                    f"{path}: duplicate claim {claim.id}, also in {where[claim.id]}; rename one"
                )
            where[claim.id] = path
    return tuple(sorted((c for found in files.values() for c in found), key=lambda c: c.id))
