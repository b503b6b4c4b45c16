"""The reference pages are what the commands and the settings say today."""

from __future__ import annotations

import re

import pytest

from flows.environment import OF_TESTS, OURS
from flows.settings import Settings
from infra.reference import FOLDER, PAGES, settings
from tests.conftest import ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_committed_page_is_current(name: str) -> None:
    message = "run `make docs-reference` and commit the result"
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), message


def test_every_setting_has_a_meaning() -> None:
    assert [n for n, field in Settings.model_fields.items() if not field.description] == []


def test_every_variable_that_the_code_names_is_on_the_page() -> None:
    files = (
        p for package in ("flows", "warehouse", "infra") for p in (ROOT / package).rglob("*.py")
    )
    found = {n for p in files for n in re.findall(r"OBSERVATORY_[A-Z0-9_]+", p.read_text("utf-8"))}
    documented = set(re.findall(r"[A-Z][A-Z0-9_]+", settings()))
    assert found - set(OF_TESTS) - {OURS} - documented == set()


def test_every_argument_and_option_has_a_meaning() -> None:
    assert not re.findall(r"^\| .* \|  \|$", PAGES["command-line.md"](), flags=re.M)
