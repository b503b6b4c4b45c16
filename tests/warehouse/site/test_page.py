"""The page of a release shows what its tables hold, in both languages, and nothing else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape
from typer.testing import CliRunner

from tests.conftest import ROOT
from tests.support.frames import PROPERTY
from tests.support.markup import markup
from tests.support.pages import HOSTILE, PAGES, emptied, hostile_names, page_files, paged, staged
from warehouse.claims.read import claims
from warehouse.contracts.source import card
from warehouse.contracts.table import contracts
from warehouse.contracts.usage_warnings import warnings
from warehouse.releases.manifest import MANIFEST, Manifest, parse_manifest
from warehouse.site.build import ASSETS
from warehouse.site.i18n import LANGUAGES, TEXT, words
from warehouse.site.numbers import NEARLY_ALL, NEARLY_NOTHING, probability, thinned, thousandths
from warehouse.site.release_tables import Tables
from warehouse.site.scripts import packed_shares, script
from warehouse.site.sections.claims import VERDICTS
from warehouse.site.sections.health import _state
from warehouse.site.sections.shares import DEFAULT, _panels, shares

LIBRARIES = ("d3.min.js", "plot.umd.min.js")
FEW = settings(PROPERTY, max_examples=100)


@pytest.fixture(scope="module")
def release(sampled: tuple[Path, str]) -> Path:
    """The sample's published release, for the internal audience."""
    return sampled[0] / "published" / "latest"


@pytest.fixture(scope="module")
def warehouse(sampled: tuple[Path, str]) -> Path:
    return sampled[0] / "observatory.duckdb"


def manifest_of(folder: Path) -> Manifest:
    return parse_manifest((folder / MANIFEST).read_bytes(), str(folder))


# --- panels -------------------------------------------------------------------------------------


def test_days_of_different_panels_get_different_numbers() -> None:
    """A day without shares belongs to the panel of the day before."""
    names = ["a", "a", "b", None, "b", "whole_hub", "whole_hub", "c"]
    days = [date(2026, 8, 1) + timedelta(days=7 * n) for n in range(len(names))]
    sizes = {"panel_models": 3, "hub_models_total": 9, "panel_share_of_models": 1 / 3}
    rows = [
        {**DEFAULT, "as_of_date": day, "panel_id": name, **sizes}
        for day, name in zip(days, names, strict=True)
        if name
    ]
    rows += [{**row, "population": "llm_vlm"} for row in rows]
    assert _panels(pl.DataFrame(rows), days) == [0, 0, 1, 1, 1, 2, 2, 3]
    assert _panels(pl.DataFrame(rows), []) == []


# --- the two languages ---------------------------------------------------------------------------


def texts(language: str) -> dict[str, Any]:
    found = yaml.safe_load((TEXT / f"{language}.yml").read_text(encoding="utf-8"))["texts"]
    assert isinstance(found, dict)
    return found


def test_no_text_key_is_defined_twice() -> None:
    """YAML would use the last one without an error."""
    for language in LANGUAGES:
        lines = (TEXT / f"{language}.yml").read_text(encoding="utf-8").splitlines()
        keys = [m[1] for line in lines if (m := re.match(r"  ([^\s#][^:]*):(?: |$)", line))]
        assert sorted(keys) == sorted(set(keys))


def placeholders(text: Any) -> set[str]:
    forms = text.values() if isinstance(text, dict) else [text]
    return {name for form in forms for name in re.findall(r"\{(\w+)\}", form)}


def test_both_languages_have_every_text_with_the_same_values_and_forms() -> None:
    english, hindi = texts("en"), texts("hi")
    own_to_hindi = {k for k in hindi if k.startswith("claim.")}  # the English statements are data
    assert set(english) == set(hindi) - own_to_hindi
    for key, text in english.items():
        assert placeholders(text) == placeholders(hindi[key]), key
        assert isinstance(text, dict) == isinstance(hindi[key], dict), key
        if isinstance(text, dict):
            assert set(text) == set(hindi[key]) == {"one", "other"}, key


def test_every_claim_has_a_hindi_text_with_the_same_figures() -> None:
    hindi = texts("hi")
    folder = ROOT / "warehouse" / "claims" / "statements"
    claims = [c for p in folder.glob("*.yml") for c in yaml.safe_load(p.read_text("utf-8"))]
    assert len(claims) > 40
    translated = {k.removeprefix("claim.") for k in hindi if k.startswith("claim.")}
    assert translated == {claim["id"] for claim in claims}
    for claim in claims:
        said = hindi[f"claim.{claim['id']}"]
        figures = re.findall(r"[\d.]+(?= %)", claim["statement"])
        assert [f for f in figures if f not in said] == [], claim["id"]


def test_every_hindi_text_is_in_devanagari() -> None:
    for key, text in texts("hi").items():
        for form in text.values() if isinstance(text, dict) else [text]:
            bare = re.sub(r"\{\w+\}", "", form)
            named = key.startswith(("board.title", "definition", "claims.all"))
            assert named or re.search(r"[\u0900-\u097f]", bare), f"{key}: {form}"


def vocabulary() -> Iterator[tuple[str, str]]:
    """Every value of a closed vocabulary on the page, with its kind."""
    promised = contracts()
    shares_of = promised["mart.country_share_daily"].columns
    for column in ("population", "metric", "attribution", "credit"):
        for value in shares_of[column].values or ():
            yield column, value
            yield column, f"{value}.about"
    for flag in warnings():
        yield "flag", flag
        yield "flag", f"{flag}.about"
    for reason in promised["mart.arena_leaders"].columns["probability_reason"].values or ():
        yield "first", reason
    for level in promised["mart.arena_leader_changes"].columns["level"].values or ():
        yield "kind", level
    for outcome in promised["meta.validation_results"].columns["outcome"].values or ():
        yield "outcome", outcome
    if ledger := promised.get("mart.claims"):
        for column, kind in (("verdict", "verdict"), ("reason_code", "reason")):
            for value in ledger.columns[column].values or ():
                yield kind, value


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_of_a_vocabulary_has_a_text(language: str) -> None:
    speak = words(language)
    assert [f"{kind}.{v}" for kind, v in vocabulary() if not speak.has(f"{kind}.{v}")] == []
    assert {f"verdict.{v}" for v in VERDICTS} <= set(speak.texts)


def test_every_country_of_the_registry_has_a_hindi_name() -> None:
    codes = (
        pl.read_csv(ROOT / "warehouse/registry/data/labs.csv")["country_code"].unique().to_list()
    )
    hindi = words("hi")
    assert [c for c in codes if not re.search(r"[\u0900-\u097f]", hindi.country(c))] == []


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["15 August 2026", "1,234,567", "1 day", "0 days", "United States"]),
        ("hi", ["15 अगस्त 2026", "12,34,567", "1 दिन", "0 दिन", "अमेरिका"]),
    ],
)
def test_numbers_dates_and_plurals_follow_the_language(language: str, said: list[str]) -> None:
    speak = words(language)
    days = [speak("days", count=n, n=speak.integer(n)) for n in (1, 0)]
    country = speak.country("US", "United States")
    assert [speak.day(date(2026, 8, 15)), speak.integer(1234567), *days, country] == said


def test_zero_is_singular_in_hindi_and_plural_in_english() -> None:
    assert words("hi")("rows", count=0, n="0") == "0 पंक्ति"
    assert words("en")("rows", count=0, n="0") == "0 rows"


@FEW
@given(st.integers(-(10**13), 10**13))
def test_grouping_keeps_every_digit(n: int) -> None:
    """International in English, Indian in Hindi."""
    for language, groups in (
        ("en", r"-?\d{1,3}(,\d{3})*"),
        ("hi", r"-?\d{1,3}|-?\d{1,2}(,\d\d)*,\d{3}"),
    ):
        grouped = words(language).integer(n)
        assert int(grouped.replace(",", "")) == n
        assert re.fullmatch(groups, grouped)


# --- numbers -------------------------------------------------------------------------------------


@FEW
@given(st.floats(0, 1))
def test_share_rounds_to_a_thousandth_but_never_to_zero_or_one(share: float) -> None:
    frame = pl.DataFrame({"x": [share]})
    shown = frame.select(thousandths("x"))["x"][0]
    if 0 < share < 0.0005:
        assert shown == NEARLY_NOTHING
    elif 0.9995 <= share < 1:
        assert shown == NEARLY_ALL
    else:
        assert abs(shown - 1000 * share) <= 0.5 + 1e-9
        assert shown == int(shown)
    sure = frame.select(probability("x"))["x"][0]
    assert 0 < sure < 1000  # an underflow does not mean certainty


def test_missing_values_stay_missing() -> None:
    frame = pl.DataFrame({"x": [None, 0.0, 1.0]}, schema={"x": pl.Float64})
    assert frame.select(thousandths("x"))["x"].to_list() == [None, 0.0, 1000.0]
    speak = words("en")
    assert (speak.percent(None), speak.integer(None), speak.day(None)) == ("–", "–", "–")
    assert (speak.percent(0), speak.percent(NEARLY_NOTHING)) == ("0.0%", "<0.1%")


@FEW
@given(st.sets(st.dates(date(2020, 1, 1), date(2030, 1, 1)), max_size=80), st.integers(2, 40))
def test_thinned_days_are_given_days_and_include_both_ends(days: set[date], limit: int) -> None:
    kept = thinned(days, limit)
    assert len(kept) == len(set(kept)) == min(len(days), limit)
    assert set(kept) <= days
    assert kept == sorted(kept)
    if days:
        assert (kept[0], kept[-1]) == (min(days), max(days))


@FEW
@given(st.text(), st.sampled_from(["", HOSTILE, "</script>", "<!--", "\u2028\u2029"]))
def test_text_is_escaped_in_the_data_file(text: str, hostile: str) -> None:
    made = script("DATA", {"name": text + hostile})
    body = made.removeprefix('"use strict";const DATA=').removesuffix(";\n")
    assert not set("<>&\u2028\u2029") & set(body)
    assert json.loads(body) == {"name": text + hostile}


# --- the page of the sample ----------------------------------------------------------------------


def test_headline_equals_the_mart(release: Path) -> None:
    with duckdb.connect(str(release / "observatory.duckdb"), read_only=True) as con:
        rows = con.execute(
            "SELECT s.country_name, s.share, s.share_lower, s.share_upper, r.share_lowest,"
            " r.share_highest, r.n_definitions, s.n_models_population"
            " FROM mart.country_share_daily AS s JOIN mart.attribution_range AS r"
            " USING (as_of_date, metric, country_code) WHERE r.population = 'any'"
            " AND s.population = 'all' AND s.metric = 'downloads_30d' AND s.credit = 'fractional'"
            " AND s.attribution = 'publisher' AND s.country_code NOT IN ('ZZ', 'XX')"
            " AND as_of_date = (SELECT max(as_of_date) FROM mart.country_share_daily)"
            " ORDER BY s.share DESC LIMIT 2"
        ).fetchall()
    page = (release / "index.html").read_text(encoding="utf-8")
    lead = page[page.index('class="lead"') : page.index('id="shares"')]
    assert len(rows) == 2
    for name, *values, definitions, models in rows:
        share, lower, upper, lowest, highest = (f"{100 * v:.1f}" for v in values)
        for said in (
            f"<h2>{name}</h2>",
            f'class="big">{share}%<',
            f"{lower}–{upper}%",
            f"{lowest}–{highest}% across {definitions} definitions",
            f"30-day downloads · All observed models · By publisher · Split equally · "
            f"15 August 2026 · {models} models",
        ):
            assert said in lead


def test_page_shows_the_weight_by_confidence_and_evidence(release: Path) -> None:
    with duckdb.connect(str(release / "observatory.duckdb"), read_only=True) as con:
        held = con.sql(
            """SELECT confidence, sum(share), sum(share) FILTER (evidence_kind = 'list')
            FROM mart.registry_weight
            WHERE as_of_date = (SELECT max(as_of_date) FROM mart.registry_weight)
            GROUP BY confidence"""
        ).fetchall()
    page = (release / "index.html").read_text(encoding="utf-8")
    table = page[page.index("<table data-registry>") :].split("</table>")[0]
    parts = [row.split('scope="row">')[1] for row in table.split("<tr>")[2:]]
    rows = {row.split("<")[0].strip(): row for row in parts}
    speak = words("en")
    assert {speak(f"confidence.{level}") for level, *_ in held} <= set(rows)
    for level, share, listed in held:
        cells = re.findall(r'class="n">([^<]*)<', rows[speak(f"confidence.{level}")])
        frame = pl.DataFrame({"share": [share], "listed": [listed]})
        shown = frame.select(thousandths("share"), thousandths("listed")).row(0)
        assert cells[0] == speak.percent(shown[0])
        assert cells[2] == ("–" if level == "not_examined" else speak.percent(shown[1] or 0))


def test_page_shows_what_the_source_says_and_means(release: Path) -> None:
    """Quotes and definitions in their own language, the page, and why the test differs."""
    for claim in claims():
        shown = [
            *([f'<q lang="{claim.quote_language}">{escape(claim.quote)}'] if claim.quote else []),
            *([f'href="{escape(claim.url)}"'] if claim.url else []),
            *([escape(claim.definition_note)] if claim.definition_note else []),
            *([escape(claim.hedge)] if claim.hedge else []),
        ]
        if claim.source_definition:
            language = claim.source_definition_language
            shown.append(f'<q lang="{language}">{escape(claim.source_definition)}')
        page = (release / "claims" / f"{claim.id}.html").read_text(encoding="utf-8")
        assert [text for text in shown if text not in page] == [], claim.id
    searched = words("en")("claims.no_page", day="30 November 2026")
    pages = (release / "claims").glob("*.html")
    assert any(searched in page.read_text(encoding="utf-8") for page in pages)


def test_page_names_the_sample_and_the_audience(release: Path) -> None:
    pages = {name: (release / name).read_text(encoding="utf-8") for name in PAGES}
    for language, name in (("en", "index.html"), ("hi", "index.hi.html")):
        assert f'<html lang="{language}"' in pages[name]
        assert words(language)("sample") in pages[name]
        assert words(language)("audience.internal") in pages[name]


@pytest.mark.parametrize(
    ("source", "age", "state"),
    [
        ("hub", None, "no_data"),
        ("registry", None, "no_data"),
        ("hub", 2, "good"),
        ("hub", 3, "late"),
        ("registry", 900, "still"),
    ],
)
def test_source_state_follows_stale_after_days(source: str, age: int | None, state: str) -> None:
    assert _state(age, card(source)) == state


def test_sources_without_snapshots_are_shown_as_no_data(release: Path) -> None:
    for name, state in (("index.html", "no data"), ("index.hi.html", "आँकड़े नहीं हैं")):
        page = (release / name).read_text("utf-8")
        row = re.search(
            r"<tr>(?:(?!</tr>).)*all datasets(?:(?!</tr>).)*</tr>", page, flags=re.S | re.I
        )
        assert row and f'<span class="state state-no_data">{state}</span>' in row[0]


def test_download_digests_equal_the_files(release: Path) -> None:
    page = (release / "index.html").read_text(encoding="utf-8")
    found = re.findall(r'<a href="([^"]+)"(?: download)?>[^\n]*?class="hash">([0-9a-f]{64})<', page)
    beside = 5  # docs and four descriptions; the digest of the DuckDB file is only in the manifest
    assert len(found) == len(manifest_of(release).tables) + beside
    for path, digest in found:
        assert hashlib.sha256((release / path).read_bytes()).hexdigest() == digest, path


def test_page_files_are_in_the_manifest_and_within_the_size_budget(release: Path) -> None:
    own = {f.path: f for f in manifest_of(release).files if f.path.startswith(("index.", "page/"))}
    assert set(PAGES) | {f"page/{p.name}" for p in ASSETS.iterdir()} <= set(own)
    library = sum(own[f"page/{name}"].bytes for name in LIBRARIES)
    assert library < 1_000_000
    assert sum(f.bytes for f in own.values()) - library < 1_500_000


@pytest.mark.parametrize("name", PAGES)
def test_page_has_no_inline_code_and_loads_nothing_from_other_sites(
    release: Path, name: str
) -> None:
    page = (release / name).read_text(encoding="utf-8")
    found = markup(page)
    assert found.inline == []
    assert [p for p in found.loads if not (release / p).is_file()] == []
    outside = [link for link in found.links if "://" in link]
    assert [link for link in outside if not link.startswith("https://")] == []
    assert [x for x in found.links if x.startswith("#") and x[1:] not in found.ids] == []
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert "default-src 'none'" in policy[1].replace("&#39;", "'")
    assert "unsafe" not in policy[1]
    assert page.index("Content-Security-Policy") < page.index("<link")


def test_equal_releases_give_equal_pages(release: Path, tmp_path: Path) -> None:
    assert page_files(paged(release, tmp_path / "again")) == page_files(release)


# --- incomplete releases and unusual content --------------------------------------------------


def test_page_of_empty_marts_says_that_there_is_no_data(release: Path, tmp_path: Path) -> None:
    paged(release, tmp_path / "empty", *emptied(release / "observatory.duckdb"))
    for language, name in (("en", "index.html"), ("hi", "index.hi.html")):
        page = (tmp_path / "empty" / name).read_text(encoding="utf-8")
        assert page.count(words(language)("nothing")) >= 5
        assert 'class="big"' not in page
        assert words(language)("downloads.title") in page


def test_page_renders_without_the_mart_tables(release: Path, tmp_path: Path) -> None:
    """As in a public release, where a license may exclude whole tables."""
    without = "DROP SCHEMA mart CASCADE; DROP SCHEMA raw CASCADE"
    page = (paged(release, tmp_path / "absent", without) / "index.html").read_text(encoding="utf-8")
    assert page.count(words("en")("nothing")) >= 6


SECRET = [
    "INSERT INTO mart.notable_models_by_country SELECT * REPLACE ('ai_index_2026' AS source,"
    " 271828 AS n_models) FROM mart.notable_models_by_country WHERE source = 'epoch'",
    "INSERT INTO mart.arena_leaders SELECT * REPLACE (DATE '2026-07-01' AS publish_date,"
    " true AS has_catalog_rows, 'kept-in-model' AS best_model) FROM mart.arena_leaders"
    " WHERE publish_date = (SELECT max(publish_date) FROM mart.arena_leaders)",
    "INSERT INTO mart.arena_lab_leaders SELECT * REPLACE (DATE '2026-07-01' AS publish_date,"
    " true AS has_catalog_rows, 'kept-in-lab-model' AS best_model) FROM mart.arena_lab_leaders"
    " WHERE publish_date = (SELECT max(publish_date) FROM mart.arena_lab_leaders)",
    "INSERT INTO meta.snapshots SELECT * REPLACE ('ai_index/2026-08-15' AS snapshot_id,"
    " 'ai_index' AS source, 'kept-in-citation' AS citation) FROM meta.snapshots LIMIT 1",
]
LEFT_OUT = ("271828", "2,71,828", "kept-in-", "AI Index 2026, as printed")


def test_public_page_contains_nothing_that_was_left_out(warehouse: Path, tmp_path: Path) -> None:
    staged(warehouse, tmp_path / "internal", "internal", *SECRET)
    staged(warehouse, tmp_path / "public", "public", *SECRET)
    inside = "".join(page_files(tmp_path / "internal").values())
    # The names of the sources are public: the texts of every release contain them.
    outside = {n: t for n, t in page_files(tmp_path / "public").items() if "text." not in n}
    assert [s for s in ("271828", "kept-in-model", "kept-in-lab-model") if s not in inside] == []
    assert [(n, s) for n, text in outside.items() for s in LEFT_OUT if s in text] == []
    page = outside["index.html"]
    assert words("en")("audience.public") in page
    assert words("en")("licenses.left_out") in page
    assert "26 June 2026" in page  # the previous board, which may be shared


def test_names_from_sources_are_escaped(release: Path, tmp_path: Path) -> None:
    paged(release, tmp_path / "hostile", *hostile_names())
    for name in PAGES:
        page = (tmp_path / "hostile" / name).read_text(encoding="utf-8")
        found = markup(page)
        assert found.inline == []
        assert found.tags.count("img") == 1  # the logo
        assert "&lt;/script&gt;&lt;img" in page
        assert "{{ 7*7 }}" in page  # shown, not computed
    assert "<" not in (tmp_path / "hostile" / "page" / "data.js").read_text(encoding="utf-8")


def test_shares_of_a_year_stay_within_the_size_budget() -> None:
    """Six populations, five metrics, two attributions, two credits, 60 countries, 400 days."""
    days = [date(2026, 8, 15) - timedelta(n) for n in range(0, 400, 5)]
    with duckdb.connect() as con:
        con.execute("ATTACH ':memory:' AS released; USE released; CREATE SCHEMA mart")
        for kind in ("country", "lab", "family"):
            promised = contracts()[f"mart.{kind}_share_daily"]
            con.execute(promised.create_sql())
            given_: dict[str, str] = {
                "as_of_date": "unnest(?::DATE[])",
                "population": "population",
                "metric": "metric",
                "attribution": "attribution",
                "credit": "credit",
            }
            plain = {"DOUBLE": "0.1234567 + who / 1000", "BIGINT": "12345", "BOOLEAN": "true"}
            select = ", ".join(
                given_.get(n, plain.get(c.type, "'name-' || who"))
                for n, c in promised.columns.items()
            )
            credits = "['full', 'fractional']" if kind == "country" else "['full']"
            con.execute(
                f"INSERT INTO {promised.sql_name} SELECT {select} FROM range(20) AS w(who),"
                " unnest(['a', 'b', 'c', 'd', 'e', 'f']) AS p(population),"
                " unnest(['a', 'b', 'c', 'd', 'downloads_30d']) AS m(metric),"
                " unnest(['base', 'publisher']) AS a(attribution),"
                f" unnest({credits}) AS c(credit)",
                [days],
            )
        found = shares(Tables(con))
    assert found["n_days"] == len(days)
    assert len(script("DATA", packed_shares(found))) < 500_000


# --- files of the repository -------------------------------------------------------------------


def test_bundled_libraries_match_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for name in LIBRARIES:
        data = (ASSETS / name).read_bytes()
        entry = re.search(
            rf"\* {re.escape(name)}: (\S+) ([\d.]+).*?sha256 ([0-9a-f]{{64}})", notice, re.S
        )
        assert entry, name
        assert hashlib.sha256(data).hexdigest() == entry[3], name
        assert f"v{entry[2]}".encode() in data[:200], name  # the version stated in the file


def colors(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w]+): (#[0-9a-f]{6})", css))


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_meets_aa_in_both_color_schemes(scheme: str) -> None:
    css = (ASSETS / "page.css").read_text(encoding="utf-8")
    head, dark = css.split("@media screen and (prefers-color-scheme: dark)")[:2]
    found = colors(head) | (colors(dark.split("\n}\n")[0]) if scheme == "dark" else {})
    assert len(found) >= 18
    for name in ("ink", "soft", "link", "good", "warn", *(f"c{i}" for i in range(7))):
        for ground in ("paper", "raised"):
            assert contrast(found[name], found[ground]) >= 4.5, (name, ground)
    assert contrast(found["focus"], found["paper"]) >= 3
    assert contrast(found["bounds"], found["paper"]) >= 2  # next to a mark and a number


def test_page_command_stages_a_release_with_its_page(warehouse: Path, tmp_path: Path) -> None:
    from flows.cli.app import app

    call = ["page", f"--warehouse={warehouse}", f"--out={tmp_path / 'look'}"]
    done = CliRunner().invoke(app, [*call, "--json"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert manifest_of(tmp_path / "look").release_id == printed["release_id"]
    assert all(Path(path).is_file() for path in printed["pages"].values())
    again = CliRunner().invoke(app, call)
    assert again.exit_code == 6
    assert "not empty" in again.output
