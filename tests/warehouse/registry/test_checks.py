"""Rules of the registry: each breach is refused with file, line and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.registry_edits import (
    Edit,
    Rows,
    append,
    cell,
    cells,
    edit,
    line_of,
    ring,
    row,
    twin,
)
from warehouse.registry import load
from warehouse.registry.checks import RULES, _common_rules
from warehouse.registry.read import RegistryError


def test_registry_of_the_project_keeps_its_rules() -> None:
    load.registry_tables()


def test_editing_nothing_leaves_a_file_unchanged(folder: Path) -> None:
    """What the tests below rely on when they change a copy."""
    for name in ("labs.csv", "namespaces.csv", "model_renames.csv"):
        before = (folder / name).read_bytes()
        edit(folder / name, lambda rows: None)
        assert (folder / name).read_bytes() == before


LAB, SPACE = "labs.csv", "namespaces.csv"
RENAMES, EXCEPTIONS = "model_renames.csv", "lineage_exceptions.csv"
DEEPSEEK, QWEN = ("deepseek,", 0), ("hub,Qwen,", 0)
DISTILLED = "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B,"
# What is wrong: file, change, how the line begins (and which of these), part of the message.
BREACHES: dict[str, tuple[str, Edit, tuple[str, int], str]] = {
    "blank cell": (LAB, cell("deepseek", "confidence", ""), DEEPSEEK, "confidence is blank"),
    "no reviewer": (LAB, cell("deepseek", "reviewer", ""), DEEPSEEK, "reviewer is blank"),
    "no basis": (SPACE, cell("Qwen", "basis", ""), QWEN, "basis is blank"),
    "date in another format": (
        LAB,
        cell("deepseek", "valid_from", "01/02/2026"),
        DEEPSEEK,
        "valid_from is not a valid DATE",
    ),
    "day that does not exist": (
        LAB,
        cell("deepseek", "known_to", "2026-02-30"),
        DEEPSEEK,
        "known_to is not a valid DATE",
    ),
    "kind of a lab": (LAB, cell("deepseek", "kind", "startup"), DEEPSEEK, "must be one of lab, "),
    "kind of a name": (SPACE, cell("Qwen", "kind", "Lab"), QWEN, "kind must be one of lab, "),
    "confidence": (LAB, cell("deepseek", "confidence", "sure"), DEEPSEEK, "must be one of high, "),
    "system": (
        SPACE,
        cell("Qwen", "system", "modelscope"),
        ("modelscope,Qwen", 0),
        "system must be one of hub, lmarena, epoch",
    ),
    "same lab twice": (
        LAB,
        twin("deepseek", first={}),
        ("deepseek,", 1),
        "same lab_id as line",
    ),
    "same lab twice, ignoring case": (
        LAB,
        lambda rows: rows.insert(
            next(i for i, r in enumerate(rows) if r["lab_id"][0].isalpha()),
            {**row(rows, "deepseek"), "lab_id": "DEEPSEEK"},
        ),
        DEEPSEEK,
        "same lab_id as line",
    ),
    "overlapping periods of a lab": (
        LAB,
        twin("deepseek", first={"valid_to": "2026-06-02"}, valid_from="2026-06-01"),
        ("deepseek,", 1),
        "for an overlapping period",
    ),
    "overlapping periods of a name": (
        SPACE,
        twin("Qwen", first={}, valid_from="2026-06-01", lab_id="deepseek"),
        ("hub,Qwen,", 1),
        "for an overlapping period",
    ),
    "unknown lab": (
        SPACE,
        cell("Qwen", "lab_id", "no-such-lab"),
        QWEN,
        "lab_id 'no-such-lab' is not in labs.csv",
    ),
    "unknown parent": (
        LAB,
        cell("deepseek", "parent_lab_id", "no-such-lab"),
        DEEPSEEK,
        "parent_lab_id 'no-such-lab' is not in labs.csv",
    ),
    "its own parent": (
        LAB,
        cell("deepseek", "parent_lab_id", "deepseek"),
        DEEPSEEK,
        "'deepseek' is its own ancestor",
    ),
    "its own ancestor": (
        LAB,
        ring("deepseek", "google", "openai"),
        ("openai,", 0),
        "'openai' is its own ancestor",
    ),
    "unknown country": (
        LAB,
        cell("deepseek", "country_code", "QQ"),
        DEEPSEEK,
        "country_code 'QQ' is not an ISO 3166-1 alpha-2 code",
    ),
    "country in lower case": (
        LAB,
        cell("deepseek", "country_code", "cn"),
        DEEPSEEK,
        "country_code 'cn' is not",
    ),
    "unexamined as a country": (
        LAB,
        cell("deepseek", "country_code", "XX"),
        DEEPSEEK,
        "country_code 'XX' is not",
    ),
    "space before": (LAB, cell("deepseek", "lab_name", " DeepSeek"), DEEPSEEK, "with a space"),
    "space after": (SPACE, cell("Qwen", "note", "Qwen "), QWEN, "begins or ends with a space"),
    "evidence without https": (
        LAB,
        cell("deepseek", "evidence_url", "http://example.org"),
        DEEPSEEK,
        "evidence_url must begin with https://",
    ),
    "valid_to before valid_from": (
        LAB,
        cell("deepseek", "valid_to", "1899-12-31"),
        DEEPSEEK,
        "valid_to must be later than valid_from",
    ),
    "known for no day": (
        SPACE,
        cell("Qwen", "known_to", "2026-11-21"),
        QWEN,
        "known_to must be later than known_from",
    ),
    "spellings on two labs": (
        SPACE,
        twin("Qwen", first={}, namespace="qwen", lab_id="deepseek"),
        ("hub,qwen,", 0),
        "in case alone, but has another lab, kind or period",
    ),
    "spellings of two kinds, later": (
        SPACE,
        twin("Qwen", first={}, namespace="qwen", kind="ci", valid_from="2026-01-01"),
        ("hub,qwen,", 0),
        "in case alone, but has another lab, kind or period",
    ),
    "spellings of two periods": (  # both would hold on one day, and count twice
        SPACE,
        twin("Qwen", first={}, namespace="qwen", valid_from="2026-01-01"),
        ("hub,qwen,", 0),
        "in case alone, but has another lab, kind or period",
    ),
    "after a name with a line break": (
        SPACE,
        cell("Inflection AI", "lab_id", "no-such-lab"),
        ("epoch,Inflection AI,", 0),
        "is not in labs.csv",
    ),
    "rename of nothing": (
        RENAMES,
        cells(-1, old_namespace=""),
        (",,zai-org", 0),
        "fill in either old_namespace or old_name_prefix",
    ),
    "rename of two things": (
        RENAMES,
        cells(-1, old_name_prefix="glm-"),
        ("THUDM,glm-,", 0),
        "fill in either old_namespace or old_name_prefix",
    ),
    "rename twice": (
        RENAMES,
        append(old_namespace="thudm"),
        ("thudm,", 0),
        "same old_namespace and old_name_prefix as line 18",
    ),
    "rename of a rename": (
        RENAMES,
        cells(-1, new_namespace="CohereForAI"),
        ("THUDM,", 0),
        "'CohereForAI' was renamed too",
    ),
    "exception twice": (
        EXCEPTIONS,
        append(action="drop"),
        (DISTILLED, 1),
        "same model_id_hf and base_model_id_hf as line 7",
    ),
    "exception to itself": (
        EXCEPTIONS,
        lambda rows: rows[-1].update(base_model_id_hf=rows[-1]["model_id_hf"].upper()),
        (DISTILLED, 0),
        "cannot be its own base model",
    ),
    "unknown action": (
        EXCEPTIONS,
        cells(-1, action="ignore"),
        (DISTILLED, 0),
        "action must be one of add, drop",
    ),
}


def breaches_of_copy() -> list[str]:
    """What the registry's checks say, one text per breach."""
    with pytest.raises(RegistryError) as caught:
        load.registry_tables()
    return [t.strip() for t in str(caught.value).split("\n") if t.startswith("  ")]


@pytest.mark.parametrize("breach", BREACHES)
def test_breach_is_refused_with_file_and_line(folder: Path, breach: str) -> None:
    name, change, (start, nth), message = BREACHES[breach]
    edit(folder / name, change)
    found = breaches_of_copy()
    place = f"{name}:{line_of(folder / name, start, nth)}: "
    assert any(t.startswith(place) and message in t for t in found), found
    if breach not in ("its own ancestor", "same lab twice, ignoring case"):
        assert len(found) == 1, "one breach is reported once"


def first_row_twice(rows: Rows) -> None:
    rows.insert(0, dict(rows[0]))


def last_row_first(rows: Rows) -> None:
    rows.insert(0, rows.pop())


def first_name_again(rows: Rows) -> None:
    """The first name gets a second model."""
    rows[-1].update(system=rows[0]["system"], name=rows[0]["name"])


# File, change and part of the message, with the line where it is known.
MORE_BREACHES: list[tuple[str, Edit, str]] = [
    ("families", cells(3, lab_id="nobody"), "families.csv:5: lab_id 'nobody' is not in labs.csv"),
    (
        "families",
        last_row_first,
        "families.csv:2: the file must be sorted by family_id, known_from",
    ),
    ("families", first_row_twice, "families.csv:3: same family_id as line 2"),
    ("families", cells(2, family_name=" x"), "families.csv:4: a cell begins or ends with a space"),
    ("families", cells(2, known_to="2026-11-21"), "families.csv:4: known_to must be later"),
    (
        "families",
        lambda rows: rows.remove(next(r for r in rows if r["family_id"] == "qwen")),
        "family_id 'qwen' is not in families.csv",
    ),
    (
        "family_rules",
        lambda rows: [rows.remove(r) for r in list(rows) if r["family_id"] == "yi"],
        "family_id 'yi' is not in family_rules.csv",
    ),
    (
        "family_rules",
        cells(7, pattern="("),
        "family_rules.csv:9: pattern '(' is not a regular expression",
    ),
    (
        "family_rules",
        cells(0, namespace="", pattern="."),
        "family_rules.csv:2: pattern '.' matches every model",
    ),
    ("family_rules", first_row_twice, "family_rules.csv:3: same family_id and system and"),
    (
        "family_rules",
        cells(1, system="epoch", namespace="x"),
        "family_rules.csv:3: only rules of system hub have a namespace",
    ),
    ("model_aliases", first_name_again, "same system and name as line "),
    ("model_aliases", cells(4, model_id="lmarena:x"), "aliases.csv:6: model_id 'lmarena:x' may"),
    ("model_aliases", cells(4, model_id="Claude"), "model_aliases.csv:6: model_id 'Claude' may"),
    ("model_aliases", first_row_twice, "model_aliases.csv:3: same system and name as line 2"),
    ("model_aliases", last_row_first, "model_aliases.csv:2: the file must be sorted by model_id"),
    ("model_aliases", cells(2, name="x "), "model_aliases.csv:4: a cell begins or ends with"),
    ("model_aliases", cells(2, known_to="2026-11-21"), "model_aliases.csv:4: known_to must be"),
    ("ai_index_editions", first_row_twice, "ai_index_editions.csv:3: same edition as line 2"),
    ("ai_index_residuals", cells(3, residual="0"), "ai_index_residuals.csv:5: residual is 0"),
    ("ai_index_residuals", cells(3, edition="2031"), "edition 2031 is not in ai_index_editions"),
    ("ai_index_residuals", cells(3, country_code="QQ"), "country_code 'QQ' is not a known"),
    ("ai_index_residuals", cells(3, explanation="magic"), "csv:5: explanation must be one of"),
    ("ai_index_residuals", last_row_first, "residuals.csv:2: the file must be sorted by edition"),
    ("ai_index_residuals", first_row_twice, "ai_index_residuals.csv:3: same edition and measure"),
    ("arena_categories", cells(1, category="hard_6"), "arena_categories.csv:3: category 'hard_6'"),
    ("arena_categories", cells(1, note=" x"), "arena_categories.csv:3: a cell begins or ends"),
    (
        "arena_categories",
        last_row_first,
        "arena_categories.csv:2: the file must be sorted by source",
    ),
    ("arena_exclusions", first_row_twice, "arena_exclusions.csv:3: same name as line 2"),
    ("arena_licenses", first_row_twice, "arena_licenses.csv:3: same license as line 2"),
    ("arena_licenses", cells(0, note="a\nb"), "arena_licenses.csv:2: a cell has a line break"),
    (
        "arena_licenses",
        cells(1, is_open_weights="yes"),
        "arena_licenses.csv:3: is_open_weights is not a valid BOOLEAN",
    ),
    ("arena_scale_breaks", cells(0, reference="a blog"), "breaks.csv:2: reference must begin with"),
    ("arena_scale_breaks", first_row_twice, "arena_scale_breaks.csv:3: same board and category"),
    ("hub_sizes", first_row_twice, "hub_sizes.csv:3: same as_of_date as line 2"),
    ("epoch_sizes", last_row_first, "epoch_sizes.csv:2: the file must be sorted by file_name"),
]


@pytest.mark.parametrize(("file", "change", "message"), MORE_BREACHES)
def test_breach_of_a_single_file_is_refused(
    folder: Path, file: str, change: Edit, message: str
) -> None:
    edit(folder / f"{file}.csv", change)
    found = breaches_of_copy()
    assert any(message in t for t in found), found


def test_license_labels_that_differ_by_case_are_two_labels(folder: Path) -> None:
    edit(folder / "arena_licenses.csv", append(license="zzz-Test"))
    edit(folder / "arena_licenses.csv", append(license="zzz-test"))
    load.registry_tables()


def test_unsorted_rows_are_refused(folder: Path) -> None:
    def swap(rows: Rows) -> None:
        i = rows.index(row(rows, "deepseek"))
        rows[i - 1], rows[i] = rows[i], rows[i - 1]

    edit(folder / LAB, swap)
    line = line_of(folder / LAB, "deepseek,")
    with pytest.raises(
        RegistryError, match=rf"labs\.csv:{line}: the file must be sorted by lab_id, "
    ):
        load.registry_tables()


def test_breaches_of_all_files_are_reported_at_once(folder: Path) -> None:
    edit(folder / LAB, cell("deepseek", "country_code", "QQ"))
    edit(folder / SPACE, cell("Qwen", "lab_id", "no-such-lab"))
    with pytest.raises(
        RegistryError, match=r"(?s)2 errors in the registry.*labs\.csv:.*namespaces\.csv:"
    ):
        load.registry_tables()


SPECIFIC = {"evidence_url": "https://example.org/about", "evidence_read_on": "2026-11-30"}
ALLOWED: dict[str, tuple[str, Edit]] = {
    "moved": (
        LAB,
        twin("deepseek", first={"valid_to": "2026-06-01"}, valid_from="2026-06-01"),
    ),
    "corrected": (
        LAB,
        twin(
            "deepseek",
            first={"known_to": "2026-12-01"},
            known_from="2026-12-01",
            country_code="SG",
            **SPECIFIC,
        ),
    ),
    "spellings that agree": (SPACE, twin("Qwen", first={}, namespace="qwen")),
    "another owner later": (
        SPACE,
        twin("Qwen", first={"valid_to": "2026-06-01"}, valid_from="2026-06-01", lab_id="deepseek"),
    ),
    "another spelling, another owner later": (
        SPACE,
        twin(
            "Qwen",
            first={"valid_to": "2026-06-01"},
            namespace="qwen",
            valid_from="2026-06-01",
            lab_id="deepseek",
        ),
    ),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_rows_may_overlap_in_one_of_the_two_periods(folder: Path, case: str) -> None:
    name, change = ALLOWED[case]
    edit(folder / name, change)
    load.registry_tables()


MALFORMED: dict[str, tuple[Callable[[str], str], str]] = {
    "another column": (
        lambda t: t.replace("lab_id", "labid", 1),
        r"labs\.csv:1: the header is labid,",
    ),
    "a column too few": (lambda t: t.replace(",note", "", 1), r"labs\.csv:1: the header is "),
    "a cell too many": (
        lambda t: t.replace("\n01-ai,", "\n01-ai,,", 1),
        r"labs\.csv:2: 16 cells where the header has 15",
    ),
    "a forgotten comma": (
        lambda t: t.replace("\n01-ai,", "\n01-ai", 1),
        r"labs\.csv:2: 14 cells where the header has 15",
    ),
    "a blank line": (lambda t: t.replace("\n01-ai,", "\n\n01-ai,", 1), r"labs\.csv:2: 0 cells"),
    "an open quote": (lambda t: t + '"', r"labs\.csv:\d+: the file cannot be read"),
    "nothing": (lambda t: "", r"labs\.csv:1: the header is ;"),
    "no lab": (lambda t: t.split("\n")[0] + "\n", r"namespaces\.csv:2: lab_id .* is not in labs"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_file_is_refused(folder: Path, case: str) -> None:
    change, message = MALFORMED[case]
    path = folder / LAB
    path.write_text(change(path.read_text("utf-8")), encoding="utf-8")
    with pytest.raises(RegistryError, match=message):
        load.registry_tables()


def test_file_that_is_missing_or_not_utf8_is_refused(folder: Path) -> None:
    path = folder / LAB
    path.write_bytes(path.read_bytes().replace(b"DeepSeek", b"Deep\xffSeek", 1))
    with pytest.raises(RegistryError, match=r"labs\.csv:\d+: the file cannot be read"):
        load.registry_tables()
    path.unlink()
    with pytest.raises(RegistryError, match=r"labs\.csv:\d+: the file cannot be read"):
        load.registry_tables()


def test_line_numbers_count_line_breaks_inside_cells(folder: Path) -> None:
    frame = load.read_registry("namespaces")
    broken = [n for n in frame["namespace"] if "\n" in n]
    assert broken, "the registry has a name with a line break"
    edit(folder / SPACE, lambda rows: rows[-1].update(lab_id="no-such-lab"))
    last = len((folder / SPACE).read_text("utf-8").rstrip("\n").split("\n"))
    with pytest.raises(RegistryError, match=rf"namespaces\.csv:{last}: "):
        load.registry_tables()


@pytest.mark.parametrize("file", load.REGISTRY_FILES)
def test_every_rule_says_what_to_do(file: str) -> None:
    """What is wrong, a semicolon, and what to do about it."""
    for rule in (*_common_rules(file), *RULES.get(file, ())):
        wrong, _, advice = rule.message.partition("; ")
        assert wrong, rule.message
        assert advice or rule.message.startswith("fill in "), rule.message
