"""A page a lab and a statement, the lists, the feeds and the site map."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import duckdb
import pytest
from PIL import Image

from tests.support.markup import markup
from tests.support.pages import HOSTILE, OWN, hostile_names, paged
from warehouse.claims.read import claims
from warehouse.site.i18n import LANGUAGES, words

PUBLIC = "https://observatory.example/data"
ATOM = "{http://www.w3.org/2005/Atom}"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


@pytest.fixture(scope="module")
def release(sampled: tuple[Path, str]) -> Path:
    return sampled[0] / "published" / "latest"


@pytest.fixture(scope="module")
def public(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages with a public address."""
    return paged(release, tmp_path_factory.mktemp("public") / "pages", public_url=PUBLIC)


def html_of(folder: Path) -> dict[str, str]:
    found = (p for p in folder.rglob("*.html"))
    named = {p.relative_to(folder).as_posix(): p for p in found}
    return {n: p.read_text(encoding="utf-8") for n, p in named.items() if n.startswith(OWN)}


def query(release: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(release / "observatory.duckdb"), read_only=True) as con:
        return con.execute(sql).fetchall()


# --- every page ----------------------------------------------------------------------------------


def test_every_link_leads_to_a_file_and_a_place_in_it(release: Path) -> None:
    pages = html_of(release)
    parsed = {name: markup(text) for name, text in pages.items()}
    assert len(pages) > 600
    missing = []
    for name, found in parsed.items():
        for link in [*found.links, *found.loads]:
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.scheme == "https", (name, link)
                continue
            path = (release / name).parent / unquote(parts.path) if parts.path else release / name
            target = path.resolve().relative_to(release.resolve()).as_posix()
            is_there = (release / target).is_file() and (
                not parts.fragment or parts.fragment in parsed[target].ids
            )
            missing += [] if is_there else [(name, link)]
    assert missing == []


def test_no_page_has_inline_code_or_the_same_id_twice(release: Path) -> None:
    for name, text in html_of(release).items():
        found = markup(text)
        assert found.inline == [], name
        assert len(found.ids) == len(set(found.ids)), name
        assert "Content-Security-Policy" in text, name
        assert found.tags.count("h1") == 1, name


def test_every_page_exists_in_every_language(release: Path) -> None:
    names = set(html_of(release))
    english = {n for n in names if not n.endswith(".hi.html")}
    assert {n.replace(".html", ".hi.html") for n in english} == names - english


def test_names_from_sources_are_escaped_on_every_page(release: Path, tmp_path: Path) -> None:
    folder = paged(release, tmp_path / "hostile", *hostile_names())
    shown = 0
    for name, text in html_of(folder).items():
        found = markup(text)
        assert (found.inline, found.tags.count("img")) == ([], 0 if name.startswith("embed") else 1)
        assert "{{ 7*7 }}" in text or HOSTILE not in text
        shown += "&lt;/script&gt;&lt;img" in text
    assert shown > 400
    for script in (folder / "page").glob("search.*.js"):
        assert "<" not in script.read_text(encoding="utf-8")
    for feed in folder.glob("feed*.xml"):
        ElementTree.parse(feed)


# --- labs and models -----------------------------------------------------------------------------


def test_every_lab_with_something_to_show_has_a_page(release: Path) -> None:
    rows = query(release, "SELECT lab_id FROM mart.labs WHERE hub_models > 0"
                 " OR arena_board IS NOT NULL OR n_notable_models > 0")  # fmt: skip
    names = {p.name.removesuffix(".html") for p in (release / "labs").glob("*.html")}
    assert {n for n in names if not n.endswith(".hi")} == {lab for (lab,) in rows}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_a_lab_equals_the_mart(release: Path, language: str) -> None:
    """Its figures and its first models, read again with SQL."""
    t = words(language)
    name = "alibaba.html" if language == "en" else f"alibaba.{language}.html"
    page = (release / "labs" / name).read_text(encoding="utf-8")
    models, downloads, day = query(
        release,
        """SELECT count(*), sum(downloads_30d)::BIGINT, max(m.hub_as_of_date) FROM mart.models AS m
        WHERE lab_id = 'alibaba' AND counters_missing IS NULL""",
    )[0]
    cells = re.findall(r'<th scope="row">([^<]*)</th><td class="n">([^<]*)</td><td>([^<]*)<', page)
    found = {measure: (value, when) for measure, value, when in cells}
    assert found[t("measure.hub_models")] == (t.integer(models), t.day(day))
    assert found[t("measure.hub_downloads_30d")] == (t.integer(downloads), t.day(day))
    first = query(release, """SELECT model_name, downloads_30d FROM mart.models
        WHERE lab_id = 'alibaba' ORDER BY downloads_30d DESC NULLS LAST LIMIT 3""")  # fmt: skip
    for model, n in first:
        assert f">{model}</th>" in page
        assert t.integer(n) in page


def test_a_missing_figure_says_why(release: Path) -> None:
    """Never 0 for what was not observed."""
    t = words("en")
    rows = query(release, "SELECT lab_id FROM mart.labs WHERE hub_models IS NULL"
                 " AND n_notable_models > 0 LIMIT 20")  # fmt: skip
    assert rows
    for (lab,) in rows:
        page = (release / "labs" / f"{lab}.html").read_text(encoding="utf-8")
        row = page[page.index(t("measure.hub_models")) :].split("</tr>")[0]
        assert '<td class="n">–</td>' in row
        assert t("missing.no_model") in row


def test_the_table_of_models_equals_the_mart(release: Path) -> None:
    page = (release / "models.html").read_text(encoding="utf-8")
    shown = re.findall(r'rel="noreferrer">([^<]+)</a></th>.*?data-value="(\d+)">[\d,]+</td>', page)
    rows = query(release, "SELECT model, downloads_30d FROM mart.models WHERE downloads_30d > 0"
                 " ORDER BY downloads_30d DESC, model LIMIT 1000")  # fmt: skip
    assert [(model, int(n)) for model, n in shown] == rows


# --- statements ----------------------------------------------------------------------------------


def test_every_statement_has_a_page_with_its_verdict(release: Path) -> None:
    verdicts = dict(query(release, "SELECT claim_id, verdict FROM mart.claims"
                          " WHERE moment = 'stated'"))  # fmt: skip
    assert len(verdicts) == len(claims())
    for claim_id, verdict in verdicts.items():
        page = (release / "claims" / f"{claim_id}.html").read_text(encoding="utf-8")
        assert f'data-verdict="{verdict}"' in page


def test_testable_statements_come_first(release: Path) -> None:
    page = (release / "index.html").read_text(encoding="utf-8")
    found = re.findall(r'<li data-verdict="(\w+)"', page)
    first_open = found.index("not_testable")
    assert set(found[first_open:]) == {"not_testable"}


def test_what_is_missing_is_said_in_one_sentence(release: Path) -> None:
    needed = dict(query(release, "SELECT claim_id, data_needed FROM mart.claims"
                        " WHERE moment = 'stated' AND verdict = 'not_testable'"))  # fmt: skip
    page = (release / "index.html").read_text(encoding="utf-8")
    for claim_id, text in needed.items():
        entry = page[page.index(f'id="claim-{claim_id}"') :].split("</li>")[0]
        answer = entry.split('class="answer">')[1].split("</p>")[0]
        assert answer.startswith("To test this, something is missing: "), claim_id
        assert text[:20].replace("'", "&#39;") in answer


# --- addresses, JSON-LD, feeds -----------------------------------------------------------------


def structured(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, text in html_of(folder).items():
        for one in markup(text).structured:
            yield name, one


def test_pages_with_an_address_state_it(public: Path) -> None:
    for name, text in html_of(public).items():
        if name.startswith("embed"):
            assert '<meta name="robots" content="noindex">' in text
            continue
        assert f'<link rel="canonical" href="{PUBLIC}/latest/{name}">' in text
        assert f'<meta property="og:image" content="{PUBLIC}/latest/page/picture.png">' in text
        assert text.count('hreflang="hi" href="https://') == 1


def test_pages_without_an_address_state_none(release: Path) -> None:
    assert not (release / "sitemap.xml").exists()
    assert not (release / "robots.txt").exists()
    assert 'rel="canonical"' not in (release / "index.html").read_text(encoding="utf-8")


def test_json_ld_reviews_every_statement(public: Path) -> None:
    found = dict(structured(public))
    assert found["index.html"]["@type"] == "Dataset"
    reviews = {n: one for n, one in found.items() if n.startswith("claims/")}
    assert len(reviews) == 2 * len(claims())
    for name, one in reviews.items():
        assert one["@context"] == "https://schema.org"
        assert one["@type"] == "ClaimReview"
        assert one["url"] == f"{PUBLIC}/latest/{name}"
        assert {"claimReviewed", "itemReviewed", "reviewRating", "author", "datePublished"} < set(
            one
        )
        rating = one["reviewRating"]
        is_decided = "ratingValue" in rating
        assert (
            not is_decided or rating["worstRating"] <= rating["ratingValue"] <= rating["bestRating"]
        )
    decided = [one for one in reviews.values() if "ratingValue" in one["reviewRating"]]
    assert 0 < len(decided) < len(reviews)


def test_the_site_map_lists_every_page(public: Path) -> None:
    tree = ElementTree.parse(public / "sitemap.xml").getroot()
    listed = [loc.text or "" for loc in tree.iter(f"{SITEMAP}loc")]
    pages = {f"{PUBLIC}/latest/{n}" for n in html_of(public) if not n.startswith("embed")}
    assert sorted(listed) == sorted(pages)
    assert f"Sitemap: {PUBLIC}/latest/sitemap.xml" in (public / "robots.txt").read_text()


@pytest.mark.parametrize("name", ["feed.xml", "feed.hi.xml"])
def test_the_feed_is_valid_atom(public: Path, name: str) -> None:
    """RFC 4287: ids, titles, dates with a time zone, one self link, newest first."""
    feed = ElementTree.parse(public / name).getroot()
    assert feed.tag == f"{ATOM}feed"
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert links["self"] == f"{PUBLIC}/latest/{name}"
    entries = feed.findall(f"{ATOM}entry")
    assert entries
    ids, days = [], []
    for one in [feed, *entries]:
        for tag in ("id", "title", "updated"):
            assert (one.findtext(f"{ATOM}{tag}") or "").strip()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", one.findtext(f"{ATOM}updated") or "")
        ids.append(one.findtext(f"{ATOM}id"))
    for one in entries:
        target = one.find(f"{ATOM}link").get("href", "")  # type: ignore[union-attr]
        assert (public / target.removeprefix(f"{PUBLIC}/latest/")).is_file()
        days.append(one.findtext(f"{ATOM}updated") or "")
    assert len(ids) == len(set(ids))
    assert days == sorted(days, reverse=True)
    newest = date.fromisoformat(days[0][:10])
    assert newest <= date.fromisoformat((feed.findtext(f"{ATOM}updated") or "")[:10])


def test_the_feed_has_every_change_of_the_leader(release: Path) -> None:
    n = query(release, "SELECT count(*) FROM mart.arena_leader_changes WHERE category = 'overall'")
    entries = ElementTree.parse(release / "feed.xml").getroot().findall(f"{ATOM}entry")
    ids = [one.findtext(f"{ATOM}id") or "" for one in entries]
    assert sum("/leader/" in one for one in ids) >= min(n[0][0], 40)


def test_the_picture_has_the_size_that_networks_ask_for(release: Path) -> None:
    with Image.open(release / "page" / "picture.png") as picture:
        assert picture.size == (1200, 630)
        assert len(picture.convert("RGB").getcolors(1_000_000) or ()) > 50  # drawn, not blank


def test_the_search_lists_labs_models_and_statements(release: Path) -> None:
    text = (release / "page" / "search.en.js").read_text(encoding="utf-8")
    entries = json.loads(text.removeprefix('"use strict";const SEARCH=').removesuffix(";\n"))
    kinds = [kind for kind, *_ in entries]
    assert kinds.count("lab") == len(list((release / "labs").glob("*.html"))) // 2
    assert kinds.count("claim") == len(claims())
    assert kinds.count("model") > 300
    for _, where, name, _ in entries:
        assert (release / where.partition("#")[0]).is_file(), name
