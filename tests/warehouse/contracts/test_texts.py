"""Texts in YAML files: lines of at most 100 columns and plain English in everything users read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

ROOTS = ("warehouse", "infra")
FILES = sorted(
    path
    for root in ROOTS
    for path in (ROOT / root).rglob("*.y*ml")
    if not path.is_relative_to(ROOT / "warehouse" / "sample")
)
# Literal translations and old-fashioned phrases that used to be in the texts.
UNCLEAR = re.compile(
    r"\b(of ours|whoever|is no|stands?|stood|lies|tells?|told|leads? (to|into)|torso|"
    r"organisations?|recognised?|licences?|data sets?|recut)\b",
    re.IGNORECASE,
)
# Where such a word is meant literally, or is the id of a method.
LITERAL = re.compile(r"\borganisation =|\b(there|this) is no\b|\bis no longer\b", re.IGNORECASE)


def texts(value: Any) -> Iterator[str]:
    """Every text in a parsed YAML file that is a sentence, not an id, a query or a pattern."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in ("statement", "publisher", "source", "traces", "license_rows"):
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str) and " " in value:
        yield value


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_yaml_lines_have_at_most_100_columns(path: Any) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 100 and "://" not in line] == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_yaml_texts_are_plain_english(path: Any) -> None:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    unclear = [text for text in texts(found) if UNCLEAR.search(LITERAL.sub("", text))]
    assert unclear == []
