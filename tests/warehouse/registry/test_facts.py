"""Facts of the real registry, and how much of the recordings it covers."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import orjson
import polars as pl
import pytest
import zstandard

from tests.support.frames import compute
from transforms.registry.attribution import with_lab_and_country, with_top_lab
from warehouse.registry.load import countries, read_registry


def names_and_labs(known_at: date = date.max) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """core.namespaces and core.labs of the real registry, as known on a day."""
    known = compute("core.countries", raw_registry_countries=countries().lazy()).lazy()
    spaces = read_registry("namespaces").lazy()
    held = read_registry("labs").lazy()
    return (
        compute("core.namespaces", known_at=known_at, raw_registry_namespaces=spaces).lazy(),
        compute("core.labs", known_at=known_at, raw_registry_labs=held, countries=known).lazy(),
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
        "nex-agi": "CN", "XingChen-AGI": "CN", "OpenOneRec": "CN", "TsinghuaC3I": "CN",
        "datajuicer": "CN", "IQuestLab": "CN", "naver-clova-ocr": "KR", "E-MIMIC": "IT",
        "datasocietyco": "US", "IFM": "AE", "MultiverseComputingCAI": "ES", "KRAFTON": "KR",
        "K-intelligence": "KR", "unitreerobotics": "CN", "GalaxyGeneralRobotics": "CN",
        "x-square-robot": "CN", "bharatgenai": "IN", "humain-ai": "SA", "ornith-ai": "ZZ",
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


@pytest.mark.parametrize(
    ("name", "day", "lab", "country"),
    [
        ("ggml-org", date(2026, 2, 19), "ggml-ai-hugging-face", "ZZ"),
        ("ggml-org", date(2026, 2, 20), "hugging-face", "US"),  # the day of the announcement
        ("z-lab", date(2026, 8, 15), "z-lab", "US"),  # UC San Diego
        ("sshleifer", date(2026, 8, 15), "sshleifer", "ZZ"),  # a person, not a test account
        ("meta-models", date(2026, 8, 15), "meta", "US"),
    ],
)
def test_names_that_were_corrected_have_their_lab(
    registry: tuple[pl.LazyFrame, pl.LazyFrame], name: str, day: date, lab: str, country: str
) -> None:
    assert placed(registry, "hub", [name], day) == {name: (lab, country)}


@pytest.mark.parametrize(
    ("lab", "before", "after", "parent"),
    [
        ("jina-ai-elastic", date(2025, 10, 8), date(2025, 10, 9), "elastic"),
        ("red-hat-ai", date(2019, 7, 8), date(2019, 7, 9), "ibm"),
        ("voyage-ai-mongodb", date(2025, 1, 31), date(2025, 2, 28), "mongodb"),
    ],
)
def test_a_lab_that_was_bought_has_its_parent_from_that_day(
    lab: str, before: date, after: date, parent: str
) -> None:
    rows = read_registry("labs").filter(pl.col("lab_id") == lab, pl.col("known_to").is_null())

    def owner(day: date) -> list[str | None]:
        valid = (pl.col("valid_from") <= day) & (pl.col("valid_to").fill_null(date.max) > day)
        return rows.filter(valid)["parent_lab_id"].to_list()

    assert (owner(before), owner(after)) == ([None], [parent])


def test_lookup_as_of_an_earlier_day_uses_the_rows_of_that_day() -> None:
    """The correction ended the two rows of the first edition instead of editing them."""
    then = names_and_labs(known_at=date(2026, 11, 29))
    day = date(2026, 8, 15)
    for name in ("sentence-transformers", "cross-encoder"):
        assert placed(then, "hub", [name], day)[name][1] == "DE"


def test_miromind_moved_to_singapore(registry: tuple[pl.LazyFrame, pl.LazyFrame]) -> None:
    """Its staff left Shanghai in January 2026 (statement of the 18th), its seat was Singapore's."""
    for day, country in ((date(2026, 1, 17), "CN"), (date(2026, 1, 18), "SG")):
        assert placed(registry, "hub", ["miromind-ai"], day) == {
            "miromind-ai": ("miromind", country)
        }


OWNERS = {  # lab: owner, its country, and the first day on which the registry has it
    "genentech": ("roche", "CH", date(2009, 3, 26)),
    "metamind-inc": ("salesforce", "US", date(2016, 9, 1)),
    "maluuba": ("microsoft", "US", date(2017, 1, 13)),
    "nuance-communications": ("microsoft", "US", date(2022, 3, 4)),
    "instadeep": ("biontech", "DE", date(2023, 7, 1)),
    "graphcore": ("softbank", "JP", date(2024, 7, 12)),
    "silo-ai-turkunlp": ("amd", "US", date(2024, 8, 9)),
    "leonardo-ai": ("canva", "AU", date(2024, 8, 29)),
    "nexusflow": ("nvidia", "US", date(2025, 6, 29)),
    "evolutionaryscale": ("chan-zuckerberg-biohub", "US", date(2025, 11, 6)),
    "xai": ("spacex", "US", date(2026, 2, 2)),
}


@pytest.mark.parametrize("lab", OWNERS)
def test_a_lab_has_its_owner_from_the_day_of_the_acquisition(
    registry: tuple[pl.LazyFrame, pl.LazyFrame], lab: str
) -> None:
    owner, country, day = OWNERS[lab]
    days = pl.LazyFrame({"lab": [lab] * 2, "day": [day - timedelta(days=1), day]})
    found = with_top_lab(days, registry[1], lab="lab", day="day").collect().sort("day")
    assert found["top_lab_id"].to_list() == [lab, owner]
    assert found["top_country_code"][1] == country


def test_isomorphic_labs_is_alphabets_and_google_stands_for_itself(
    registry: tuple[pl.LazyFrame, pl.LazyFrame],
) -> None:
    """The AI Index counts models at the level of Google, so Google's row names no owner."""
    labs = pl.LazyFrame({"lab": ["isomorphic-labs", "google", "deepmind"], "day": date(2026, 1, 1)})
    found = with_top_lab(labs, registry[1], lab="lab", day="day").collect()
    assert dict(found.select("lab", "top_lab_id").rows()) == {
        "isomorphic-labs": "alphabet", "google": "google", "deepmind": "google",
    }  # fmt: skip


def test_similar_names_in_two_systems_may_belong_to_two_labs(
    registry: tuple[pl.LazyFrame, pl.LazyFrame],
) -> None:
    day = date(2026, 8, 15)
    on_hub = placed(registry, "hub", ["inceptionai"], day)["inceptionai"]
    on_board = placed(registry, "lmarena", ["inception-ai"], day)["inception-ai"]
    assert (on_hub, on_board) == (("g42", "AE"), ("inception-labs", "US"))


# Labs and organizations that published statements name.
CLAIMED = {
    "alibaba": "CN", "deepseek": "CN", "moonshot-ai": "CN", "bytedance": "CN",
    "the-university-of-hong-kong": "HK", "baidu": "CN", "z-ai-zhipu": "CN",
    "tsinghua-university": "CN", "stepfun": "CN", "minimax": "CN", "agibot": "CN",
    "kuaishou": "CN", "tencent": "CN", "meta": "US", "openai": "US", "google": "US",
    "microsoft": "US", "luma-ai": "US", "hugging-face": "US", "mit": "US",
    "stanford-university": "US", "pinterest": "US", "airbnb": "US", "tiktok": "ZZ",
}  # fmt: skip


def test_labs_named_by_published_claims_are_in_the_registry(
    registry: tuple[pl.LazyFrame, pl.LazyFrame],
) -> None:
    held = dict(registry[1].select("lab_id", "country_code").collect().rows())
    assert {lab: held.get(lab) for lab in CLAIMED} == CLAIMED


def test_old_and_new_namespace_belong_to_the_same_lab(
    registry: tuple[pl.LazyFrame, pl.LazyFrame],
) -> None:
    moves = read_registry("model_renames")
    pairs = moves.drop_nulls("old_namespace").select("old_namespace", "new_namespace").rows()
    found = placed(registry, "hub", sorted({n for pair in pairs for n in pair}), date(2026, 8, 15))
    assert len(pairs) == 8
    for old, new in pairs:
        assert found[old] == found[new] != (None, "XX"), old


HUB_DAYS = ["2025-11-10", "2025-11-27", *(f"2026-08-{d:02}" for d in range(7, 16)), "2026-10-15"]
BOARDS = {"vision": 16, "vision_style_control": 8}  # lines without an organization


@pytest.mark.parametrize("day", HUB_DAYS)
def test_registry_covers_95_percent_of_recorded_downloads(
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


def test_registry_covers_every_organization_on_the_leaderboards(
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
    """Names of a cell, separated by a comma; a comma and a space is part of a name."""
    kept = cell.replace(", ", "\0")
    return [n.replace("\0", ", ").strip() for n in kept.split(",") if n.strip()]


def test_registry_covers_98_percent_of_epoch_records(
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
