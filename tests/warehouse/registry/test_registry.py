"""The registry: its rules, its facts, what it covers of the recordings, and how it is kept."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import orjson
import polars as pl
import pytest
import zstandard

from flows.steps import build as steps
from tests.conftest import ROOT
from tests.support.frames import compute
from transforms.registry.attribution import with_lab_and_country
from warehouse.archive.archive import Archive
from warehouse.database.duckdb_file import create_tables
from warehouse.registry import load as reference
from warehouse.registry.checks import RegistryError

REGISTRY = reference.REGISTRY
SAMPLE = ROOT / "warehouse" / "sample"
EVER = "1900-01-01"
Rows = list[dict[str, str]]
Edit = Callable[[Rows], None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the registry that the project reads instead of its own."""
    copied = shutil.copytree(REGISTRY, tmp_path / "registry")
    monkeypatch.setattr(reference, "REGISTRY", copied)
    return copied


def load() -> None:
    """Reads and checks the registry as every build does."""
    with duckdb.connect() as con:
        create_tables(con)
        reference.load_reference(con)


def edit(path: Path, change: Edit) -> None:
    """Rewrites a CSV with its rows changed; line breaks inside cells stay."""
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def line_of(path: Path, start: str, nth: int = 0) -> int:
    """Line of the file that begins so."""
    lines = path.read_text("utf-8").split("\n")
    return [i for i, line in enumerate(lines, 1) if line.startswith(start)][nth]


def row(rows: Rows, name: str) -> dict[str, str]:
    return next(r for r in rows if name in (r.get("namespace"), r.get("lab_id")))


def cell(name: str, column: str, value: str) -> Edit:
    return lambda rows: row(rows, name).update({column: value})


def twin(name: str, *, first: dict[str, str], **second: str) -> Edit:
    """A second row of a name after its first one, with changes to both."""

    def change(rows: Rows) -> None:
        one = row(rows, name)
        other = {**one, **second}
        one.update(first)
        rows.insert(rows.index(one) + 1, other)

    return change


def in_a_ring(*names: str) -> Edit:
    """Each lab owned by the next, the last by the first."""

    def change(rows: Rows) -> None:
        for name, owner in zip(names, (*names[1:], names[0]), strict=True):
            row(rows, name).update(parent_lab_id=owner)

    return change


# ---- rules ----------------------------------------------------------------------------------


def test_the_registry_keeps_its_rules() -> None:
    load()


def test_a_file_is_the_same_after_reading_and_writing(folder: Path) -> None:
    """What the tests below rely on when they change a copy."""
    for name in ("labs.csv", "namespaces.csv", "model_renames.csv"):
        before = (folder / name).read_bytes()
        edit(folder / name, lambda rows: None)
        assert (folder / name).read_bytes() == before


LAB, SPACE = "labs.csv", "namespaces.csv"
DEEPSEEK, QWEN = ("deepseek,", 0), ("hub,Qwen,", 0)
BREACHES: dict[str, tuple[str, Edit, tuple[str, int], str]] = {
    "blank cell": (LAB, cell("deepseek", "confidence", ""), DEEPSEEK, "confidence is blank"),
    "nobody answers": (LAB, cell("deepseek", "reviewer", ""), DEEPSEEK, "reviewer is blank"),
    "no basis": (SPACE, cell("Qwen", "basis", ""), QWEN, "basis is blank"),
    "other form of date": (
        LAB,
        cell("deepseek", "valid_from", "01/02/2026"),
        DEEPSEEK,
        "valid_from is no DATE",
    ),
    "no such day": (
        LAB,
        cell("deepseek", "known_to", "2026-02-30"),
        DEEPSEEK,
        "known_to is no DATE",
    ),
    "kind": (LAB, cell("deepseek", "kind", "startup"), DEEPSEEK, "kind is none of lab, "),
    "kind of a name": (SPACE, cell("Qwen", "kind", "Lab"), QWEN, "kind is none of lab, "),
    "confidence": (LAB, cell("deepseek", "confidence", "sure"), DEEPSEEK, "confidence is none of"),
    "system": (
        SPACE,
        cell("Qwen", "system", "modelscope"),
        ("modelscope,Qwen", 0),
        "system is none of hub, lmarena, epoch",
    ),
    "twice": (LAB, twin("deepseek", first={}), ("deepseek,", 1), "'deepseek' stands in line"),
    "twice, ignoring case": (
        LAB,
        lambda rows: rows.insert(
            next(i for i, r in enumerate(rows) if r["lab_id"][0].isalpha()),
            {**row(rows, "deepseek"), "lab_id": "DEEPSEEK"},
        ),
        DEEPSEEK,
        "'deepseek' stands in line",
    ),
    "overlap": (
        LAB,
        twin("deepseek", first={"valid_to": "2026-06-02"}, valid_from="2026-06-01"),
        ("deepseek,", 1),
        "for an overlapping period",
    ),
    "overlap of a name": (
        SPACE,
        twin("Qwen", first={}, valid_from="2026-06-01", lab_id="deepseek"),
        ("hub,Qwen,", 1),
        "for an overlapping period",
    ),
    "no such lab": (
        SPACE,
        cell("Qwen", "lab_id", "no-such-lab"),
        QWEN,
        "lab_id 'no-such-lab' is no lab of labs.csv",
    ),
    "no such parent": (
        LAB,
        cell("deepseek", "parent_lab_id", "no-such-lab"),
        DEEPSEEK,
        "parent_lab_id 'no-such-lab' is no lab",
    ),
    "its own parent": (
        LAB,
        cell("deepseek", "parent_lab_id", "deepseek"),
        DEEPSEEK,
        "the lab is its own ancestor",
    ),
    "its own ancestor": (
        LAB,
        in_a_ring("deepseek", "google", "openai"),
        ("openai,", 0),
        "the lab is its own ancestor",
    ),
    "unknown country": (
        LAB,
        cell("deepseek", "country_code", "QQ"),
        DEEPSEEK,
        "'QQ' is no ISO 3166-1 alpha-2 code nor ZZ",
    ),
    "country in lower case": (LAB, cell("deepseek", "country_code", "cn"), DEEPSEEK, "'cn' is no"),
    "not examined as a country": (
        LAB,
        cell("deepseek", "country_code", "XX"),
        DEEPSEEK,
        "'XX' is no",
    ),
    "space before": (LAB, cell("deepseek", "lab_name", " DeepSeek"), DEEPSEEK, "space around"),
    "space after": (SPACE, cell("Qwen", "note", "Qwen "), QWEN, "space around a cell"),
    "evidence": (
        LAB,
        cell("deepseek", "evidence_url", "http://example.org"),
        DEEPSEEK,
        "evidence that is no https address",
    ),
    "ends before it begins": (
        LAB,
        cell("deepseek", "valid_to", "1899-12-31"),
        DEEPSEEK,
        "a period that ends before it begins",
    ),
    "known for no day": (
        SPACE,
        cell("Qwen", "known_to", "2026-11-21"),
        QWEN,
        "a period that ends before it begins",
    ),
    "spellings on two labs": (
        SPACE,
        twin("Qwen", first={}, namespace="qwen", lab_id="deepseek"),
        ("hub,qwen,", 0),
        "differs by case alone",
    ),
    "spellings of two kinds, later": (
        SPACE,
        twin("Qwen", first={}, namespace="qwen", kind="ci", valid_from="2026-01-01"),
        ("hub,qwen,", 0),
        "disagree on lab, kind or period",
    ),
    "spellings of two periods": (  # both would hold on one day, and count twice
        SPACE,
        twin("Qwen", first={}, namespace="qwen", valid_from="2026-01-01"),
        ("hub,qwen,", 0),
        "disagree on lab, kind or period",
    ),
    "after a name with a line break": (
        SPACE,
        cell("Inflection AI", "lab_id", "no-such-lab"),
        ("epoch,Inflection AI,", 0),
        "is no lab of labs.csv",
    ),
    "rename of nothing": (
        "model_renames.csv",
        lambda rows: rows[-1].update(old_namespace=""),
        (",,zai-org", 0),
        "names no old name or two of them",
    ),
    "rename of two things": (
        "model_renames.csv",
        lambda rows: rows[-1].update(old_name_prefix="glm-"),
        ("THUDM,glm-,", 0),
        "names no old name or two of them",
    ),
    "rename twice": (
        "model_renames.csv",
        lambda rows: rows.append({**rows[-1], "old_namespace": "thudm"}),
        ("thudm,", 0),
        "'thudm' stands there already",
    ),
    "rename of a rename": (
        "model_renames.csv",
        lambda rows: rows[-1].update(new_namespace="CohereForAI"),
        ("THUDM,", 0),
        "moves to a namespace that has moved on itself",
    ),
    "exception twice": (
        "lineage_exceptions.csv",
        lambda rows: rows.append({**rows[-1], "action": "drop"}),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B,", 1),
        "stands there already",
    ),
    "exception to itself": (
        "lineage_exceptions.csv",
        lambda rows: rows[-1].update(base_model_id_hf=rows[-1]["model_id_hf"].upper()),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B,", 0),
        "a model is no parent of its own",
    ),
    "exception of no kind": (
        "lineage_exceptions.csv",
        lambda rows: rows[-1].update(action="ignore"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B,", 0),
        "action is none of add, drop",
    ),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_refused_with_file_and_line(folder: Path, breach: str) -> None:
    name, change, (start, nth), what = BREACHES[breach]
    edit(folder / name, change)
    with pytest.raises(RegistryError) as caught:
        load()
    found = [t.strip() for t in str(caught.value).split("\n") if t.startswith("  ")]
    place = f"{name}:{line_of(folder / name, start, nth)}: "
    assert any(t.startswith(place) and what in t for t in found), found
    if breach not in ("its own ancestor", "twice, ignoring case"):
        assert len(found) == 1, "one breach, one finding"


def test_rows_out_of_order_are_refused(folder: Path) -> None:
    def swap(rows: Rows) -> None:
        i = rows.index(row(rows, "deepseek"))
        rows[i - 1], rows[i] = rows[i], rows[i - 1]

    edit(folder / LAB, swap)
    line = line_of(folder / LAB, "deepseek,")
    with pytest.raises(RegistryError, match=rf"labs\.csv:{line}: not in the order of lab_id, "):
        load()


def test_every_breach_is_told_at_once(folder: Path) -> None:
    edit(folder / LAB, cell("deepseek", "country_code", "QQ"))
    edit(folder / SPACE, cell("Qwen", "lab_id", "no-such-lab"))
    with pytest.raises(RegistryError, match=r"(?s)in 2 places.*labs\.csv:.*namespaces\.csv:"):
        load()


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
def test_what_overlaps_in_one_of_the_two_clocks_alone_is_no_overlap(
    folder: Path, case: str
) -> None:
    name, change = ALLOWED[case]
    edit(folder / name, change)
    load()


TORN: dict[str, tuple[Callable[[str], str], str]] = {
    "another column": (lambda t: t.replace("lab_id", "labid", 1), r"labs\.csv:1: header \['labid'"),
    "a column too few": (lambda t: t.replace(",note", "", 1), r"labs\.csv:1: header "),
    "a cell too many": (
        lambda t: t.replace("\n01-ai,", "\n01-ai,,", 1),
        r"labs\.csv:2: 15 cells, the header has 14",
    ),
    "a forgotten comma": (
        lambda t: t.replace("\n01-ai,", "\n01-ai", 1),
        r"labs\.csv:2: 13 cells, the header has 14",
    ),
    "a blank line": (lambda t: t.replace("\n01-ai,", "\n\n01-ai,", 1), r"labs\.csv:2: 0 cells"),
    "an open quote": (lambda t: t + '"', r"labs\.csv cannot be read"),
    "nothing": (lambda t: "", r"labs\.csv:1: header \[\]"),
    "no lab": (lambda t: t.split("\n")[0] + "\n", r"namespaces\.csv:2: lab_id .* is no lab"),
}


@pytest.mark.parametrize("case", TORN)
def test_a_torn_file_is_refused(folder: Path, case: str) -> None:
    change, message = TORN[case]
    path = folder / LAB
    path.write_text(change(path.read_text("utf-8")), encoding="utf-8")
    with pytest.raises(RegistryError, match=message):
        load()


def test_a_file_that_is_no_text_or_not_there_is_refused(folder: Path) -> None:
    path = folder / LAB
    path.write_bytes(path.read_bytes().replace(b"DeepSeek", b"Deep\xffSeek", 1))
    with pytest.raises(RegistryError, match=r"labs\.csv cannot be read"):
        load()
    path.unlink()
    with pytest.raises(RegistryError, match=r"labs\.csv cannot be read"):
        load()


# ---- facts ----------------------------------------------------------------------------------


def names_and_labs(known_at: date = date.max) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """core.namespaces and core.labs of the real registry, as known on a day."""
    countries = compute(
        "core.countries", raw_registry_countries=reference.countries().lazy()
    ).lazy()
    spaces = reference.read_registry("namespaces.csv", "raw.registry_namespaces").lazy()
    held = reference.read_registry("labs.csv", "raw.registry_labs").lazy()
    return (
        compute("core.namespaces", known_at=known_at, raw_registry_namespaces=spaces).lazy(),
        compute("core.labs", known_at=known_at, raw_registry_labs=held, countries=countries).lazy(),
    )


@pytest.fixture(scope="module")
def registry() -> tuple[pl.LazyFrame, pl.LazyFrame]:
    return names_and_labs()


def placed(
    registry: tuple[pl.LazyFrame, pl.LazyFrame], system: str, names: list[str], day: date
) -> dict[str, tuple[str | None, str]]:
    """Name -> lab and country, as every table of the warehouse finds them."""
    frame = pl.LazyFrame({"name": names, "day": [day] * len(names)})
    made = with_lab_and_country(frame, *registry, system=system, name="name", day="day").collect()
    assert made.height == len(names)
    return {n: (lab, code) for n, lab, code in made.select("name", "lab_id", "country_code").rows()}


FACTS = {
    "hub": {
        "deepseek-ai": "CN", "Qwen": "CN", "moonshotai": "CN", "zai-org": "CN", "THUDM": "CN",
        "MiniMaxAI": "CN", "stepfun-ai": "CN", "baidu": "CN", "tencent": "CN",
        "meta-llama": "US", "openai": "US", "google": "US", "microsoft": "US", "nvidia": "US",
        "mistralai": "FR", "CohereLabs": "CA", "stabilityai": "GB", "black-forest-labs": "DE",
        "tiiuae": "AE", "inceptionai": "AE", "ai21labs": "IL", "sentence-transformers": "US",
        "EleutherAI": "ZZ", "LGAI-EXAONE": "KR", "META-LLAMA": "US", "nobody-knows-this": "XX",
    },
    "lmarena": {"inception-ai": "US", "Alibaba": "CN", "Mistral": "FR", "Anthropic": "US"},
    "epoch": {"Tsinghua University": "CN", "University of Hong Kong": "XX"},
}  # fmt: skip


@pytest.mark.parametrize("system", FACTS)
def test_well_known_names_have_their_country(
    registry: tuple[pl.LazyFrame, pl.LazyFrame], system: str
) -> None:
    found = placed(registry, system, list(FACTS[system]), date(2026, 8, 15))
    assert {name: code for name, (_, code) in found.items()} == FACTS[system]


@pytest.mark.parametrize("name", ["sentence-transformers", "cross-encoder", "Cross-Encoder"])
@pytest.mark.parametrize(
    ("day", "lab", "country"),
    [
        (date(2022, 3, 2), "ukp-lab-tu-darmstadt", "DE"),
        (date(2025, 10, 21), "ukp-lab-tu-darmstadt", "DE"),  # the last day in Darmstadt
        (date(2025, 10, 22), "hugging-face", "US"),  # the day of the announcement
        (date(2025, 11, 10), "hugging-face", "US"),
        (date(2026, 8, 15), "hugging-face", "US"),
    ],
)
def test_sentence_transformers_moved_from_darmstadt_to_hugging_face(
    registry: tuple[pl.LazyFrame, pl.LazyFrame], name: str, day: date, lab: str, country: str
) -> None:
    assert placed(registry, "hub", [name], day) == {name: (lab, country)}


def test_what_was_known_before_the_correction_is_still_answered() -> None:
    """The two rows of the first edition have `known_to`; nobody edited them in place."""
    then = names_and_labs(known_at=date(2026, 11, 29))
    day = date(2026, 8, 15)
    for name in ("sentence-transformers", "cross-encoder"):
        assert placed(then, "hub", [name], day)[name][1] == "DE"


def test_one_name_may_be_two_labs_in_two_systems(
    registry: tuple[pl.LazyFrame, pl.LazyFrame],
) -> None:
    day = date(2026, 8, 15)
    on_hub = placed(registry, "hub", ["inceptionai"], day)["inceptionai"]
    on_board = placed(registry, "lmarena", ["inception-ai"], day)["inception-ai"]
    assert (on_hub, on_board) == (("g42", "AE"), ("inception-labs", "US"))


# claims.md: labs and organisations that published statements name.
CLAIMED = {
    "alibaba": "CN", "deepseek": "CN", "moonshot-ai": "CN", "bytedance": "CN",
    "the-university-of-hong-kong": "HK", "baidu": "CN", "z-ai-zhipu": "CN",
    "tsinghua-university": "CN", "stepfun": "CN", "minimax": "CN", "agibot": "CN",
    "kuaishou": "CN", "tencent": "CN", "meta": "US", "openai": "US", "google": "US",
    "microsoft": "US", "luma-ai": "US", "hugging-face": "US", "mit": "US",
    "stanford-university": "US", "pinterest": "US", "airbnb": "US", "tiktok": "ZZ",
}  # fmt: skip


def test_every_lab_of_the_claims_is_there(registry: tuple[pl.LazyFrame, pl.LazyFrame]) -> None:
    held = dict(registry[1].select("lab_id", "country_code").collect().rows())
    assert {lab: held.get(lab) for lab in CLAIMED} == CLAIMED


def test_a_moved_namespace_stands_for_one_lab(
    registry: tuple[pl.LazyFrame, pl.LazyFrame],
) -> None:
    moves = reference.read_registry("model_renames.csv", "raw.registry_model_renames")
    pairs = moves.drop_nulls("old_namespace").select("old_namespace", "new_namespace").rows()
    found = placed(registry, "hub", sorted({n for pair in pairs for n in pair}), date(2026, 8, 15))
    assert len(pairs) == 7
    for old, new in pairs:
        assert found[old] == found[new] != (None, "XX"), old


# ---- coverage of the recordings -------------------------------------------------------------

HUB_DAYS = ["2025-11-10", "2025-11-27", *(f"2026-08-{d:02}" for d in range(7, 16)), "2026-10-15"]
BOARDS = {"vision": 16, "vision_style_control": 8}  # lines without an organization


@pytest.mark.parametrize("day", HUB_DAYS)
def test_most_downloads_of_a_recorded_day_are_examined(
    recordings: Path, registry: tuple[pl.LazyFrame, pl.LazyFrame], day: str
) -> None:
    data = zstandard.decompress((recordings / f"hub/{day}/models.ndjson.zst").read_bytes(), 2**30)
    weights: Counter[str] = Counter()
    for model in map(orjson.loads, filter(None, data.split(b"\n"))):
        weights[model["id"].rpartition("/")[0]] += model.get("downloads") or 0
    found = placed(registry, "hub", list(weights), date.fromisoformat(day))
    examined = sum(w for name, w in weights.items() if found[name][0])
    assert sum(weights.values()) > 0
    assert examined / sum(weights.values()) >= 0.95


def test_every_organization_of_every_leaderboard_line_is_examined(
    recordings: Path, registry: tuple[pl.LazyFrame, pl.LazyFrame]
) -> None:
    files = sorted((recordings / "lmarena/leaderboard-dataset").glob("*/*-00000-of-00001.parquet"))
    assert len(files) >= 24
    for file in files:
        names = pl.read_parquet(file, columns=["organization"])["organization"]
        blank = (names.is_null() | (names == "")).sum()
        assert blank <= BOARDS.get(file.parent.name, 0), file
        given = names.drop_nulls().unique().sort().to_list()
        found = placed(registry, "lmarena", [n for n in given if n], date(2026, 6, 30))
        assert not [n for n, (lab, _) in found.items() if lab is None], file


def organizations(cell: str) -> list[str]:
    """Names of a cell: between names stands a bare comma, inside one a comma and a space."""
    kept = cell.replace(", ", "\0")
    return [n.replace("\0", ", ").strip() for n in kept.split(",") if n.strip()]


def test_the_organizations_of_epochs_records_are_examined(
    recordings: Path, registry: tuple[pl.LazyFrame, pl.LazyFrame]
) -> None:
    n_files = 0
    for file in sorted(recordings.glob("epoch/*/*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            cells = [r.get("Organization") for r in csv.DictReader(lines)]
        if file.name == "organizations.csv" or None in cells:
            continue  # a list of organizations or of versions, no records of models
        n_files += 1
        given = [organizations(c) for c in cells if c]
        names = sorted({n for each in given for n in each})
        found = placed(registry, "epoch", names, date.fromisoformat(file.parent.name))
        known = sum(all(found[n][0] for n in each) for each in given)
        assert known / len(given) >= 0.98, file
        assert len(given) >= 0.8 * len(cells), file
    assert n_files == 23


# ---- from the command line ------------------------------------------------------------------


def observatory(*arguments: str, registry: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a user types it; with another registry folder if one is given."""
    code = (
        "import sys; from pathlib import Path; from warehouse.registry import load as reference\n"
        f"reference.REGISTRY = Path({str(registry or REGISTRY)!r})\n"
        "from flows.cli.app import app; app(sys.argv[1:])"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled sample as far as core, with one heavy name of each system not examined."""
    place = tmp_path_factory.mktemp("registry")
    copied = shutil.copytree(REGISTRY, place / "registry")

    def drop(rows: Rows) -> None:
        gone = {("hub", "deepseek-ai"), ("lmarena", "google"), ("epoch", "openai")}
        rows[:] = [r for r in rows if (r["system"], r["namespace"].lower()) not in gone]

    edit(copied / SPACE, drop)
    path, archive = place / "sample.duckdb", Archive(SAMPLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "REGISTRY", copied)
        steps.load_raw(path, archive, archive.snapshots())
        steps.transform(path, "core", steps.Clocks(date(2026, 8, 15)))
    return path


def test_check_says_that_all_is_well() -> None:
    done = observatory("registry", "check")
    assert done.returncode == 0, done.stderr
    assert "the registry keeps its rules; " in done.stdout


def test_check_names_file_and_line_without_a_traceback(tmp_path: Path) -> None:
    copied = shutil.copytree(REGISTRY, tmp_path / "registry")
    edit(copied / LAB, cell("deepseek", "country_code", "QQ"))
    done = observatory("registry", "check", registry=copied)
    assert done.returncode == 5
    assert f"labs.csv:{line_of(copied / LAB, 'deepseek,')}: 'QQ' is no ISO" in done.stderr
    assert "Traceback" not in done.stderr


def told(*arguments: str) -> Any:
    done = observatory(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_gaps_lists_what_was_not_examined_by_weight(warehouse: Path) -> None:
    found = told("registry", "gaps", f"--warehouse={warehouse}", "--limit=3")
    lacking = found["unexamined"]
    by_system = {s: [r for r in lacking if r["system"] == s] for s in ("hub", "lmarena", "epoch")}
    for rows in by_system.values():
        weights = [r["weight"] for r in rows]
        assert 1 <= len(weights) <= 3
        assert weights == sorted(weights, reverse=True)
    tops = {s: rows[0]["name"] for s, rows in by_system.items()}
    assert {s: n.lower() for s, n in tops.items()} == {
        "hub": "deepseek-ai",
        "lmarena": "google",
        "epoch": "openai",
    }
    with duckdb.connect(str(warehouse), read_only=True) as con:
        ((share,),) = con.execute(
            "SELECT sum(downloads_30d) FILTER (author = 'deepseek-ai') / sum(downloads_30d) "
            "FROM core.hub_daily_counters JOIN core.hub_models USING (model_id_hf) "
            "WHERE as_of_date = DATE '2026-08-15'"
        ).fetchall()
    assert by_system["hub"][0]["share"] == pytest.approx(share)
    examined = {r["system"]: r["examined_share"] for r in found["coverage"]}
    rest = sum(r["share"] for r in by_system["hub"])
    assert examined["hub"] <= 1 - rest + 1e-9
    assert 0.5 < examined["hub"] < 1


def everything_in(path: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(path.iterdir())}


def test_a_proposal_is_never_taken_over(warehouse: Path) -> None:
    before = everything_in(REGISTRY), warehouse.read_bytes()
    made = told("registry", "propose", f"--warehouse={warehouse}", "--limit=5")
    proposed = {r["name"]: r["lab_id"] for r in made}
    assert proposed["deepseek-ai"] == "deepseek"  # known in other systems
    assert {lab for name, lab in proposed.items() if name.lower() == "google"} == {"google"}
    assert all(88 <= r["score"] <= 100 for r in made)
    assert (everything_in(REGISTRY), warehouse.read_bytes()) == before
    again = told("registry", "gaps", f"--warehouse={warehouse}", "--limit=5")["unexamined"]
    assert set(proposed) <= {r["name"] for r in again}


def test_without_a_warehouse_gaps_says_what_to_do(tmp_path: Path) -> None:
    done = observatory("registry", "gaps", f"--warehouse={tmp_path / 'none.duckdb'}")
    assert done.returncode == 5
    assert "no warehouse at" in done.stderr
    assert "Traceback" not in done.stderr


def test_lines_are_counted_past_names_with_a_line_break(folder: Path) -> None:
    frame = reference.read_registry(SPACE, "raw.registry_namespaces")
    broken = [n for n in frame["namespace"] if "\n" in n]
    assert broken, "the registry has a name with a line break"
    edit(folder / SPACE, lambda rows: rows[-1].update(lab_id="no-such-lab"))
    last = len((folder / SPACE).read_text("utf-8").rstrip("\n").split("\n"))
    with pytest.raises(RegistryError, match=rf"namespaces\.csv:{last}: "):
        load()
