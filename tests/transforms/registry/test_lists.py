"""Lists whose separator may be part of a name, and names that differ in invisible characters."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.frames import PROPERTY
from transforms.registry.countries import codes_of
from transforms.registry.lists import LONGEST, listed
from transforms.registry.names import folded
from warehouse.registry.load import countries, read_registry

SPELLINGS = countries()


def codes(*cells: str) -> dict[str, str]:
    made = codes_of(pl.LazyFrame({"country_name": cells}), SPELLINGS.lazy()).collect()
    return dict(made.select("country_name", "country_codes").rows())


CELLS = {
    "Korea, Republic of": "KR",
    "Hong Kong SAR, China": "HK",
    "Congo, The Democratic Republic of the": "CD",
    "Congo, Democratic Republic of the": "CD",
    "Congo, Republic of Atlantis": "XX",  # a name with a known one in it is not that one
    "China,Korea, Republic of": "CN,KR",
    "Korea, Republic of,China": "CN,KR",
    "Korea, Republic of, China": "CN,KR",
    "Korea, Republic of,Korea, Democratic People's Republic of": "KP,KR",
    "Taiwan, Province of China": "TW",
    "United States of America, China": "CN,US",
    "China, Korea (Republic of) ,,China": "CN,KR",
    "Hong Kong,China": "CN,HK",  # so Epoch writes a list
    "Hong Kong, China": "HK",  # so the Asian Development Bank writes a place
    "Hong Kong Special Region, China": "XX",
    "China, Hong Kong SAR, China": "CN,HK",
    "Korea,Republic of": "KR",
    "China,Korea,Republic of,France": "CN,FR,KR",
    "Saint Helena, Ascension and Tristan da Cunha, Iran, Islamic Republic of": "IR,SH",
    "Congo,Congo, The Democratic Republic of the": "CD,CG",
    "Atlantis, Republic of,China": "CN,XX",
    "China; Korea, Republic of;France": "CN,FR,KR",
    "China;Atlantis": "XX",
    "Virgin Islands, U.S., Virgin Islands, British": "VG,VI",
    "china,KOREA, republic  of": "CN,KR",
    "\ufeffChina\u200b ,\u00a0United\u00a0Kingdom": "CN,GB",
    "Co\u0302te d'Ivoire,Tu\u0308rkiye": "CI,TR",
    "Chi\u00adna": "CN",
}


def test_the_longest_known_spelling_is_matched_first() -> None:
    assert codes(*CELLS) == CELLS


def test_every_spelling_of_the_registry_is_found_once_and_in_a_list() -> None:
    known = dict(SPELLINGS.select("spelling", "country_code").rows())
    assert codes(*known) == known
    assert codes(*(f"{s},{s}" for s in known)) == {f"{s},{s}": code for s, code in known.items()}
    assert SPELLINGS["spelling"].str.count_matches(",").max() < LONGEST


SEPARATED = st.lists(
    st.sampled_from(SPELLINGS.filter(pl.col("country_code") != "XX")["spelling"].to_list()),
    min_size=1,
    max_size=6,
)


@PROPERTY
@given(st.lists(SEPARATED, min_size=1, max_size=10))
def test_a_list_of_spellings_gives_the_countries_of_its_members(lists: list[list[str]]) -> None:
    code = dict(SPELLINGS.select("spelling", "country_code").rows())
    expected = {",".join(names): ",".join(sorted({code[n] for n in names})) for names in lists}
    assert codes(*expected) == expected


ORGANIZATIONS = {
    "NERSC, Lawrence Berkeley National Laboratory": [
        "NERSC, Lawrence Berkeley National Laboratory"
    ],
    "OpenAI, Alibaba": ["OpenAI", "Alibaba"],
    "OpenAI; Alibaba": ["OpenAI", "Alibaba"],
    "OpenAI;Nobody": ["OpenAI; Nobody"],
    "OpenAI,Nobody": ["OpenAI", "Nobody"],
    "Nobody, Inc.,OpenAI": ["Nobody, Inc.", "OpenAI"],
    "University of California, Berkeley,Google": ["University of California, Berkeley", "Google"],
    " A ,, B,": ["A", "B"],
    ",": [],
}


def test_a_list_of_organizations_is_split_if_each_piece_is_known() -> None:
    known = pl.LazyFrame(
        {"key": ["openai", "alibaba", "google", "berkeley", "university of california, berkeley"]}
    )
    made = listed(pl.LazyFrame({"cell": list(ORGANIZATIONS)}), known).collect()
    found = {cell: made.filter(cell=cell).sort("position") for cell in ORGANIZATIONS}
    assert {cell: each["name"].to_list() for cell, each in found.items()} == ORGANIZATIONS
    assert all(
        each["position"].to_list() == list(range(1, each.height + 1)) for each in found.values()
    )


SAME = ["OpenAI", " openai", "Open\u200bAI", "OPENAI\u00a0", "\ufeffOpenAI", "Open\u00adAI\t"]
SPACED = ["Hugging Face", "Hugging\u00a0Face", "hugging  face", "Hugging\u2009\tFace\u3000\n"]
COMPOSED = ["Universit\u00e9", "Universite\u0301", "UNIVERSITE\u0301"]


@pytest.mark.parametrize("names", [SAME, SPACED, COMPOSED])
def test_names_that_look_the_same_are_one_name(names: list[str]) -> None:
    assert pl.select(folded(pl.Series(names)).n_unique()).item() == 1


def test_names_that_look_different_are_different_names() -> None:
    names = ["OpenAI", "Open AI", "Open-AI", "Université", "Universite", "0penAI", "", "A.I."]
    assert pl.select(folded(pl.Series(names)).n_unique()).item() == len(names)


def test_no_two_reviewed_names_of_a_system_become_one() -> None:
    """Two spellings of one lab may; names of two labs would make each other's models."""
    names = read_registry("namespaces")
    clashes = (
        names.filter(pl.col("known_to").is_null())
        .group_by("system", folded("namespace").alias("key"), "valid_from")
        .agg(pl.col("lab_id").n_unique())
        .filter(pl.col("lab_id") > 1)
    )
    assert clashes.rows() == []
