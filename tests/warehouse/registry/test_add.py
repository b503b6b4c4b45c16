"""`observatory registry add`: rows at their place, with evidence, or a refusal that helps."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.cli.app import app
from flows.settings import today
from tests.conftest import ROOT
from tests.support.registry_command import command, observatory
from tests.support.registry_edits import edit, row
from warehouse.registry import load
from warehouse.registry.edit import FileChange, write
from warehouse.registry.entry import EntryError

EVIDENCE = (
    "--basis=company page",
    "--evidence-url=https://example.org/about",
    "--read-on=2026-11-30",
    "--confidence=medium",
)
NEW_LAB = ("--lab=example-ai", "--name=Example, AI", "--kind=lab", "--country=CA")


def this_day() -> str:
    """Asked anew in each test: a run of the suite may cross midnight."""
    return today().isoformat()


def add(*arguments: str) -> Result:
    """The command in this process, on the copy that `folder` made."""
    return CliRunner().invoke(app, ["registry", "add", *arguments], catch_exceptions=False)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def rows_of(folder: Path, file: str, **cells: str) -> list[dict[str, str]]:
    """The rows of a file with these cells."""
    text = (folder / f"{file}.csv").read_text("utf-8")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [r for r in rows if all(r[c] == v for c, v in cells.items())]


def periods(rows: list[dict[str, str]], *cells: str) -> list[tuple[str, ...]]:
    columns = (*cells, "valid_from", "valid_to", "known_from", "known_to")
    return [tuple(r[c] for c in columns) for r in rows]


def test_lab_and_its_names_are_written_in_their_places(folder: Path) -> None:
    before = bytes_of(folder)
    names = ("--namespace=hub:Example-AI", "--namespace=epoch:Example AI")
    done = observatory("registry", "add", *NEW_LAB, *names, *EVIDENCE, registry=folder)
    assert done.returncode == 0, done.stderr
    line = (
        f'example-ai,"Example, AI",,lab,CA,1900-01-01,,{this_day()},,company page,'
        "https://example.org/about,2026-11-30,maintainers,medium,\n"
    )
    assert line in (folder / "labs.csv").read_text("utf-8")
    assert f"+ {line.strip()}" in done.stdout
    for file, added in (("labs.csv", 1), ("namespaces.csv", 2)):
        old, new = before[file].splitlines(), (folder / file).read_bytes().splitlines()
        assert [x for x in new if b"example-ai" not in x] == old, "other lines stay as they are"
        assert len(new) == len(old) + added
    assert {n for n, b in bytes_of(folder).items() if b != before[n]} == {
        "labs.csv",
        "namespaces.csv",
    }
    tables = load.registry_tables()
    found = tables["raw.registry_namespaces"].filter(lab_id="example-ai")
    assert found["system"].to_list() == ["epoch", "hub"]
    assert found["kind"].to_list() == ["lab", "lab"]


def test_dry_run_shows_the_lines_and_writes_nothing(folder: Path) -> None:
    before = bytes_of(folder)
    done = add(*NEW_LAB, "--namespace=hub:example-ai", *EVIDENCE, "--dry-run")
    assert done.exit_code == 0
    assert "+ hub,example-ai,example-ai,lab,1900-01-01" in done.output
    assert bytes_of(folder) == before
    shown = json.loads(add(*NEW_LAB, *EVIDENCE, "--dry-run", "--json").stdout)
    assert shown["written"] is False
    assert [line[:2] for line in shown["lines"]["labs.csv"]] == ["+ "]
    assert bytes_of(folder) == before


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "lab that exists": (
        ("--lab=deepseek", "--country=SG", *EVIDENCE),
        "lab 'deepseek' is in labs.csv already (DeepSeek, CN, lab). If that is wrong, add "
        "--supersede; if the lab moved or was sold, add --since DATE. To add only names, leave out",
    ),
    "name that exists in another case": (
        ("--lab=google", "--namespace=hub:DeepSeek-AI", *EVIDENCE),
        "hub name 'DeepSeek-AI' belongs to 'deepseek' already (lab). If that is wrong, add",
    ),
    "names of an unknown lab": (
        ("--lab=nobody-yet", "--namespace=hub:nobody-yet", *EVIDENCE),
        "lab 'nobody-yet' is not in labs.csv; correct --lab, or add the lab with --name, --kind",
    ),
    "lab without a country": (
        ("--lab=example-ai", "--name=Example AI", *EVIDENCE),
        "lab 'example-ai' is new; give --kind and --country too",
    ),
    "nothing": (("--lab=deepseek", *EVIDENCE), "nothing to add; give --namespace, or --name"),
    "correction of nothing": (
        (*NEW_LAB, *EVIDENCE, "--supersede"),
        "lab 'example-ai' is not in labs.csv; leave out --supersede to add it",
    ),
    "correction of no name": (
        ("--lab=google", "--namespace=hub:nobody-yet", *EVIDENCE, "--supersede"),
        "hub name 'nobody-yet' is not in namespaces.csv; leave out --supersede to add it",
    ),
    "correction that changes nothing": (
        ("--lab=deepseek", "--country=CN", *EVIDENCE, "--supersede"),
        "nothing but the evidence of 'deepseek' would change; edit basis, evidence_url,",
    ),
    "day without a valid row": (
        ("--lab=deepseek", "--country=SG", *EVIDENCE, "--since=1850-01-01"),
        "no row of lab 'deepseek' is valid on 1850-01-01; edit its periods by hand",
    ),
    "a formula of a spreadsheet": (
        ("--lab=google", '--namespace=epoch:=HYPERLINK("http://x")', *EVIDENCE),
        "a value may not begin with one of = + - @, nor contain control characters",
    ),
    "a change of the reading direction": (
        ("--lab=google", "--namespace=epoch:Goo\u202egle", *EVIDENCE),
        "'Goo\\u202egle': a value may not begin with one of = + - @, nor contain control",
    ),
    "change on the first day": (
        ("--lab=deepseek", "--country=SG", *EVIDENCE, "--since=1900-01-01"),
        "the row is valid from 1900-01-01 already; use --supersede to correct it",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_entry_that_does_not_fit_is_refused_with_what_to_do(folder: Path, case: str) -> None:
    before = bytes_of(folder)
    arguments, message = REFUSED[case]
    done = add(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert bytes_of(folder) == before


BROKEN: dict[str, tuple[tuple[str, ...], str]] = {
    "kind": (
        (*NEW_LAB[:2], "--kind=startup", "--country=CA", *EVIDENCE),
        "kind must be one of lab, academia,",
    ),
    "country": ((*NEW_LAB[:3], "--country=QQ", *EVIDENCE), "country_code 'QQ' is not an ISO 3166"),
    "parent": ((*NEW_LAB, "--parent=no-such-lab", *EVIDENCE), "'no-such-lab' is not in labs.csv"),
    "no page": (
        (*NEW_LAB, "--basis=own knowledge", "--confidence=high"),
        "confidence is high without evidence; add evidence_url and evidence_read_on, or set",
    ),
    "page without a day": (
        (*NEW_LAB, *EVIDENCE[:2], "--confidence=low"),
        "evidence_read_on is blank; give the day on which the page at evidence_url was read",
    ),
    "list": (
        (*NEW_LAB, EVIDENCE[0], "--evidence-url=https://epoch.ai/data/ai-models", *EVIDENCE[2:]),
        "evidence_url is a list of many labs, and the row is known from",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_entry_that_breaks_a_rule_is_not_written(folder: Path, case: str) -> None:
    before = bytes_of(folder)
    arguments, message = BROKEN[case]
    done = add(*arguments)
    assert done.exit_code == 5
    assert message in done.stderr
    assert bytes_of(folder) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (NEW_LAB, "give --basis and --confidence, or run it on a terminal"),
        ((*NEW_LAB, *EVIDENCE, "--namespace=example-ai"), "write one of hub:NAME, lmarena:NAME"),
        ((*NEW_LAB, *EVIDENCE, "--read-on=yesterday"), "is not a date; write YYYY-MM-DD"),
        (
            (*NEW_LAB, *EVIDENCE, "--supersede", "--since=2026-01-01"),
            "give --supersede or --since, not both",
        ),
    ],
)
def test_missing_or_wrong_options_are_a_usage_error(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = add(*arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_correction_ends_what_was_known_and_keeps_it(folder: Path) -> None:
    done = add("--lab=deepseek", "--country=SG", *EVIDENCE, "--supersede")
    assert done.exit_code == 0, done.stderr
    rows = rows_of(folder, "labs", lab_id="deepseek")
    assert periods(rows, "country_code") == [
        ("CN", "1900-01-01", "", "2026-11-21", this_day()),
        ("SG", "1900-01-01", "", this_day(), ""),
    ]
    load.registry_tables()


def test_row_learned_on_the_same_day_is_replaced(folder: Path) -> None:
    assert add(*NEW_LAB, *EVIDENCE).exit_code == 0
    assert add("--lab=example-ai", "--country=FR", *EVIDENCE, "--supersede").exit_code == 0
    rows = rows_of(folder, "labs", lab_id="example-ai")
    assert periods(rows, "country_code") == [("FR", "1900-01-01", "", this_day(), "")]


def test_sale_gives_both_periods_and_keeps_what_was_known(folder: Path) -> None:
    assert add(*NEW_LAB, "--namespace=hub:example-ai", *EVIDENCE).exit_code == 0
    for file, name in (("labs.csv", "example-ai"), ("namespaces.csv", "example-ai")):
        edit(folder / file, lambda r, name=name: row(r, name).update(known_from="2026-11-21"))
    done = add("--lab=example-ai", "--parent=google", *EVIDENCE, "--since=2025-03-01")
    assert done.exit_code == 0, done.stderr
    rows = rows_of(folder, "labs", lab_id="example-ai")
    assert periods(rows, "parent_lab_id") == [
        ("", "1900-01-01", "", "2026-11-21", this_day()),
        ("", "1900-01-01", "2025-03-01", this_day(), ""),
        ("google", "2025-03-01", "", this_day(), ""),
    ]
    done = add("--lab=google", "--namespace=hub:EXAMPLE-AI", *EVIDENCE, "--since=2025-03-01")
    assert done.exit_code == 0, done.stderr
    names = rows_of(folder, "namespaces", namespace="example-ai")
    assert periods(names, "lab_id") == [
        ("example-ai", "1900-01-01", "", "2026-11-21", this_day()),
        ("example-ai", "1900-01-01", "2025-03-01", this_day(), ""),
        ("google", "2025-03-01", "", this_day(), ""),
    ]
    load.registry_tables()


def test_similar_names_are_suggested_for_a_new_lab(folder: Path) -> None:
    arguments = ("--name=Deep Seek", "--kind=lab", "--country=CN", *EVIDENCE, "--dry-run")
    done = add("--lab=deepseek-inc", *arguments)
    assert "similar names in the registry: " in done.stderr
    assert "(deepseek)" in done.stderr
    assert "similar names" not in add("--lab=deepseek", "--namespace=hub:x", *EVIDENCE).stderr


def test_registry_that_breaks_a_rule_is_not_edited(folder: Path) -> None:
    edit(folder / "labs.csv", lambda rows: row(rows, "google").update(country_code="QQ"))
    before = bytes_of(folder)
    done = add(*NEW_LAB, *EVIDENCE)
    assert done.exit_code == 5
    assert "country_code 'QQ'" in done.stderr
    assert bytes_of(folder) == before


def test_file_that_changed_meanwhile_is_not_overwritten(folder: Path) -> None:
    before = bytes_of(folder)
    stale = FileChange("labs.csv", b"what was read", b"what would be written")
    with pytest.raises(EntryError, match=r"labs\.csv was changed by another program; run the"):
        write([stale])
    assert bytes_of(folder) == before


# ---- questions on a terminal ----------------------------------------------------------------


def on_terminal(folder: Path, *arguments: str, answers: list[str]) -> tuple[int, str]:
    """Exit code and output of the command on a terminal where a person types the answers."""
    ours, theirs = pty.openpty()
    line = command("registry", "add", *arguments, registry=folder)
    with subprocess.Popen(line, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        os.write(ours, "".join(f"{a}\n" for a in answers).encode())
        said = b""
        while True:
            try:
                said += os.read(ours, 4096)
            except OSError:  # the command ended
                break
        code = running.wait()
    os.close(ours)
    return code, said.decode()


def test_questions_ask_for_everything_that_is_not_given(folder: Path) -> None:
    answers = [
        *("example-ai", "Example AI", "startup", "lab", "CA", ""),
        *("hub:example-ai", ""),
        *("company page", "https://example.org/about", "", "", "two offices"),
        "y",
    ]
    code, said = on_terminal(folder, answers=answers)
    assert code == 0, said
    assert "'startup' is not one of lab, academia" in said
    (lab,) = rows_of(folder, "labs", lab_id="example-ai")
    assert lab["evidence_read_on"] == this_day()
    assert (lab["confidence"], lab["note"]) == ("medium", "two offices")
    assert [n["system"] for n in rows_of(folder, "namespaces", lab_id="example-ai")] == ["hub"]
    load.registry_tables()


def test_no_to_the_last_question_writes_nothing(folder: Path) -> None:
    before = bytes_of(folder)
    given = ("--lab=google", "--namespace=hub:example-ai", *EVIDENCE, "--note=x")
    code, said = on_terminal(folder, *given, answers=["n"])
    assert code == 0, said
    assert "+ hub,example-ai,google,lab" in said
    assert bytes_of(folder) == before
