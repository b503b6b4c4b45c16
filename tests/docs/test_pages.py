"""What the pages say about commands, settings, tables, files and terms is true."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer

from flows.cli.app import app
from flows.cli.errors import CTRL_C
from flows.cli.exit_codes import CODES
from tests.conftest import ROOT
from tests.support.markdown import (
    anchors,
    blocks,
    first_column,
    links,
    pages,
    path_of,
    prose,
    table_rows,
    written_pages,
)
from transforms.hub.definitions import WINDOWS
from warehouse.contracts.table import contracts
from warehouse.contracts.usage_warnings import warnings
from warehouse.contracts.vocabulary import vocabulary

PAGES = pages()
WRITTEN = written_pages()
DEFINITIONS = PAGES["docs/definitions.md"]
LANGUAGES = {
    *("sh", "bash", "sql", "python", "js", "r", "yaml", "csv", "powerquery", "text", "json"),
}
USAGE = 2  # of click
PLACES = r"(?:flows|transforms|expectations|warehouse|infra|tests|docs)"


def mentioned(text: str) -> list[str]:
    """Calls of `observatory` in blocks for a shell and in the prose."""
    lines = [
        line
        for block in blocks("", text)
        if block.language in ("sh", "bash")
        for line in block.code.replace("\\\n", " ").splitlines()
        if not line.startswith("#")
    ]
    lines += re.findall(r"`((?:\.venv/bin/)?observatory [^`]+)`", prose(text).replace("\n", " "))
    found = [re.search(r"(?:^|/|\s)observatory (.*)", line) for line in lines]
    return [m[1].split("|")[0] for m in found if m]


@pytest.mark.parametrize("page", WRITTEN)
def test_every_command_and_option_exists(page: str) -> None:
    for call in mentioned(WRITTEN[page]):
        command: Any = typer.main.get_command(app)
        words = shlex.split(call)
        while words and hasattr(command, "commands") and not words[0].startswith("-"):
            assert words[0] in command.commands, f"observatory {call}: no command {words[0]}"
            command = command.commands[words.pop(0)]
        known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
        options = {word.split("=")[0] for word in words if word.startswith("--")}
        assert options <= known, f"observatory {call}: no option {options - known}"


@pytest.mark.parametrize("page", WRITTEN)
def test_every_block_says_its_language(page: str) -> None:
    text = WRITTEN[page]
    assert {block.language for block in blocks(page, text)} <= LANGUAGES
    assert "```" not in prose(text)


@pytest.mark.parametrize("page", WRITTEN)
def test_every_make_target_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"(?:^ *|`)make ([a-z][a-z-]+)", WRITTEN[page], flags=re.M)
    assert [t for t in named if not re.search(rf"^{t}:", makefile, flags=re.M)] == []


@pytest.mark.parametrize("page", WRITTEN)
def test_every_setting_is_read(page: str) -> None:
    from flows.environment import NAMES

    known = {*NAMES, "OBSERVATORY_RECORDINGS"}
    assert set(re.findall(r"OBSERVATORY_[A-Z_]+[A-Z]", WRITTEN[page])) <= known


@pytest.mark.parametrize("page", [page for page in WRITTEN if page != "docs/changelog.md"])
def test_every_table_exists(page: str) -> None:
    macros = (ROOT / "warehouse/database/macros.sql").read_text(encoding="utf-8")
    known = set(contracts()) | set(re.findall(r"CREATE MACRO (\w+\.\w+)", macros))
    known |= {"mart.arena_models_by_country", "raw.toys"}  # the examples of two pages
    named = set(re.findall(r"\b(?:mart|core|raw|meta)\.[a-z]\w+", WRITTEN[page]))
    assert {n for n in named if not n.endswith(".parquet")} - known - {"mart.parquet"} == set()


@pytest.mark.parametrize("page", [page for page in WRITTEN if page != "docs/changelog.md"])
def test_every_file_and_function_exists(page: str) -> None:
    text = prose(WRITTEN[page])
    named = set(re.findall(rf"`({PLACES}(?:/[\w.\-*]+)+)`", text)) - {
        "warehouse/contracts/tables/mart/arena_models_by_country.yml",
        "transforms/mart/arena_models_by_country.py",
        "warehouse/contracts/sources/toy.yml",
        "warehouse/contracts/tables/raw/toys.yml",
        "flows/sources/toy.py",
    }
    assert [path for path in named if not list(ROOT.glob(path))] == []
    for function, path in re.findall(rf"`(\w+)`\s+in\s+`({PLACES}/[\w/]+\.py)`", text):
        assert f"def {function}(" in path_of(path).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", WRITTEN)
def test_every_link_leads_to_a_page_and_a_heading(page: str) -> None:
    for address in links(WRITTEN[page]):
        file, _, anchor = address.partition("#")
        target = (path_of(page).parent / file).resolve() if file else path_of(page)
        assert target.exists(), f"{page}: {address}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{page}: {address}"


def test_every_page_is_in_the_navigation() -> None:
    config = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    named = set(re.findall(r'= "([\w/\-]+\.md)"', config))
    there = {name.removeprefix("docs/") for name in PAGES if name.startswith("docs/")}
    assert there - {"benchmarks/results.md"} == named


# --- defined values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("Populations", vocabulary("population")),
        ("Metrics", vocabulary("metric")),
        ("Windows", vocabulary("metric_window")),
        ("Attribution", vocabulary("attribution")),
        ("Attribution of families", vocabulary("family_attribution")),
        ("Credit", vocabulary("credit")),
        ("Kinds of labs", vocabulary("kind")),
        ("Usage warnings", {code: warning.title for code, warning in warnings().items()}),
    ],
)
def test_every_word_is_explained_as_it_is_defined(heading: str, words: dict[str, str]) -> None:
    rows = table_rows(DEFINITIONS, heading)[1:]
    assert {row[0].strip("`"): row[-1] for row in rows} == words


@pytest.mark.parametrize(
    ("heading", "column"),
    [("Verdicts", "verdict"), ("Moments", "moment"), ("Reasons", "reason_code")],
)
def test_every_value_of_a_claim_is_explained(heading: str, column: str) -> None:
    defined = contracts()["mart.claims"].columns[column].values or ()
    assert sorted(first_column(DEFINITIONS, heading)) == sorted(defined)


def test_every_bound_and_rank_is_a_column() -> None:
    shares = contracts()["mart.country_share_daily"].columns
    assert set(first_column(DEFINITIONS, "Bounds")) <= set(shares)
    ratings = contracts()["core.arena_ratings"].columns
    ranks = {name for name in ratings if name.startswith("rank_")}
    assert set(first_column(DEFINITIONS, "Rankings on LMArena")) == ranks
    trials = contracts()["mart.claim_trials"].columns
    assert set(first_column(DEFINITIONS, "Coverage")) <= set(trials)


def test_metrics_are_listed_with_their_windows() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", DEFINITIONS, flags=re.M)
    assert dict(rows) == WINDOWS


def test_every_mart_is_listed() -> None:
    listed = first_column(PAGES["docs/reading-a-release.md"], "Tables")
    published = {t for t, c in contracts().items() if c.layer == "mart" and c.published}
    assert sorted(listed) == sorted(published)


def test_exit_codes_are_listed() -> None:
    text = PAGES["docs/operations.md"].split("## Exit codes")[1].split("## ")[0]
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", text, flags=re.M)}
    assert listed == {0, 1, CTRL_C, USAGE} | {code for _, code in CODES}


@pytest.mark.parametrize("package", ["flows", "transforms", "expectations", "warehouse"])
def test_the_picture_of_the_packages_shows_every_folder(package: str) -> None:
    picture = (ROOT / "docs/images/packages.svg").read_text(encoding="utf-8")
    folders = {p.parent.name for p in (ROOT / package).glob("*/__init__.py")}
    shown = set(re.findall(r">(\w+)/</text>", picture))
    assert folders <= shown
