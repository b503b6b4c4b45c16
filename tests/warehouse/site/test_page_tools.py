"""What a reader takes away from the page: its address, data, pictures and code, and the search."""

from __future__ import annotations

import csv
import html
import io
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.support.browser import READY, Tab, browsing, chromium
from tests.support.pages import hostile_names, paged
from warehouse.site.i18n import words

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no chromium (Debian: apt-get install chromium fonts-noto-core)"
)
CHARTS = (
    "country-now", "country-time", "lab-now", "lab-time", "family-now", "family-time", "gap", "lag",
    "gap-time", "trending-time", "notable",
)  # fmt: skip


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browsing(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _desk(tab: Tab) -> None:
    tab.size(1280)
    tab.media(prefers_color_scheme="light")


@pytest.fixture(scope="module")
def release(sampled: tuple[Path, str]) -> Path:
    return sampled[0] / "published" / "latest"


def serving(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def served(release: Path) -> Iterator[str]:
    yield from serving(release)


def text(tab: Tab, selector: str) -> str:
    return str(tab.run(f"document.querySelector({selector!r}).textContent"))


def awaited(tab: Tab, expression: str) -> Any:
    done = tab.call(
        "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
    )
    assert "exceptionDetails" not in done, done
    return done["result"].get("value")


# --- the address ---------------------------------------------------------------------------------

VIEW = "JSON.stringify(OBSERVATORY_PAGE.view)"


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_the_address_keeps_the_view_and_restores_it(
    tab: Tab, release: Path, served: str, scheme: str
) -> None:
    start = release.as_uri() if scheme == "file" else served
    tab.open(f"{start}/index.html")
    for name, value in (("population", "llm_vlm"), ("metric", "likes"), ("attribution", "base"),
                        ("credit", "full")):  # fmt: skip
        tab.run(f"document.querySelector('[name={name}][value={value}]').click()")
    for name, value in (("country", "FR"), ("board", "webdev"), ("source", "epoch_registry")):
        tab.run(f"""{{const s = document.querySelector('select[name={name}]'); s.value = '{value}';
            s.dispatchEvent(new Event('change', {{bubbles: true}}))}}""")
    view, table = tab.run(VIEW), text(tab, "#country-now tbody")
    assert text(tab, "[data-chosen]").startswith("France")
    address = tab.run("document.querySelector('#lab-time .tools a').href")
    assert address.endswith("#lab-time")
    if scheme == "http":
        assert tab.run("location.search") == "?" + address.split("?")[1].split("#")[0]
    tab.open(address)
    assert (tab.run(VIEW), text(tab, "#country-now tbody")) == (view, table)
    assert tab.run("document.querySelector('select[name=country]').value") == "FR"
    hindi = tab.run("document.querySelector('[data-language][lang=hi]').href")
    tab.open(hindi)
    assert tab.run(VIEW) == view  # the language is another page with the same view


def test_the_default_view_has_a_short_address(tab: Tab, served: str) -> None:
    tab.open(f"{served}/index.html")
    tab.run("document.querySelector('[name=metric][value=likes]').click()")
    tab.run("document.querySelector('[name=metric][value=downloads_30d]').click()")
    assert tab.run("location.search") == ""


def test_a_link_opens_the_folded_section_of_its_chart(tab: Tab, served: str) -> None:
    """On a phone, sections are folded."""
    tab.size(390)
    tab.open(f"{served}/index.html")
    hidden = "document.querySelector('#notable').getBoundingClientRect().height"
    assert tab.run(hidden) == 0
    tab.open(f"{served}/index.html#notable")
    assert tab.run(hidden) > 100
    assert tab.run("document.querySelector('#shares .fold').ariaExpanded") == "true"
    assert tab.run("document.querySelector('#rankings .fold').ariaExpanded") == "false"


@pytest.mark.parametrize("folder", ["claims", "labs"])
def test_pages_of_labs_and_statements_have_a_link_to_copy(
    tab: Tab, release: Path, served: str, folder: str
) -> None:
    first = sorted(p.name for p in (release / folder).glob("*.html"))[0]
    tab.open(f"{served}/{folder}/{first}")
    button = "document.querySelector('[data-link] button')"
    tab.run(f"{button}.click()")
    assert awaited(tab, f"""new Promise(done => setTimeout(() => done({button}.dataset.done), 200))
        """) == "true"  # fmt: skip


# --- data, pictures and code of a chart ---------------------------------------------------------


def csv_of(tab: Tab, chart: str) -> list[dict[str, str]]:
    made = tab.run(f"OBSERVATORY_PAGE.csvOf(document.getElementById('{chart}'))")
    assert made.startswith("\ufeff")  # so that spreadsheets read Hindi
    return list(csv.DictReader(io.StringIO(made.removeprefix("\ufeff"))))


def test_csv_equals_the_table_of_every_chart(tab: Tab, release: Path) -> None:
    tab.open(f"{release.as_uri()}/index.html")
    for chart in CHARTS:
        rows = csv_of(tab, chart)
        n = tab.run(f"document.querySelectorAll('#{chart} tbody tr').length")
        assert len(rows) == n > 0, chart
        assert {row["Chart"] for row in rows} == {text(tab, f"#{chart} h3")}
        assert {row["Definition"] for row in rows} == {text(tab, f"#{chart} .definition")}
        assert all(row["Link"].endswith(f"#{chart}") for row in rows)


def test_csv_has_numbers_not_words(tab: Tab, release: Path) -> None:
    tab.open(f"{release.as_uri()}/index.hi.html")
    rows, t = csv_of(tab, "country-now"), words("hi")
    data = tab.run("OBSERVATORY.shares.country['all|downloads_30d|publisher|fractional'].now")
    records = [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]
    for row, record in zip(rows, records, strict=True):
        assert row[t("kind.country")] == t.country(record["id"], record["name"])
        share = row[t("column.share")]
        assert share == "<0.001" or float(share) * 1000 == pytest.approx(record["share"])
        assert int(row[t("column.models")]) == record["n"]


def test_csv_runs_nothing_in_a_spreadsheet(tab: Tab, release: Path, tmp_path: Path) -> None:
    change = "UPDATE mart.lab_share_daily SET lab_name = '=HYPERLINK(\"x\")' || lab_id"
    folder = paged(release, tmp_path / "formula", change, *hostile_names()[2:3])
    tab.open(f"{folder.as_uri()}/index.html")
    cells = [value for row in csv_of(tab, "lab-now") for value in row.values()]
    assert any(value.startswith("'=HYPERLINK") for value in cells)
    assert not any(value.startswith(("=", "+", "@")) for value in cells)


@pytest.mark.parametrize("language", ["en", "hi"])
def test_svg_stands_alone_with_source_and_date(tab: Tab, release: Path, language: str) -> None:
    name = "index.html" if language == "en" else f"index.{language}.html"
    tab.open(f"{release.as_uri()}/{name}")
    for chart in CHARTS:
        svg = tab.run(f"OBSERVATORY_PAGE.pictureOf(document.getElementById('{chart}')).svg")
        tree = ElementTree.fromstring(svg)
        said = " ".join("".join(one.itertext()) for one in tree.iter() if one.tag.endswith("text"))
        release_id = tab.run("OBSERVATORY.about.release")
        assert text(tab, f"#{chart} h3") in said, chart
        assert release_id in said
        assert words(language).day(release_id[:10]) in said
        assert "var(--" not in svg  # no color of the page's style sheet
        assert "<script" not in svg


def test_png_is_a_picture_of_the_chart(tab: Tab, release: Path, tmp_path: Path) -> None:
    from PIL import Image

    tab.open(f"{release.as_uri()}/index.html")
    made = awaited(
        tab,
        """OBSERVATORY_PAGE.pngOf(document.getElementById('lab-now')).then(blob =>
        new Promise(done => { const r = new FileReader(); r.onload = () => done(r.result);
        r.readAsDataURL(blob); }))""",
    )
    import base64

    (tmp_path / "chart.png").write_bytes(base64.b64decode(made.split(",")[1]))
    with Image.open(tmp_path / "chart.png") as picture:
        assert picture.width > 1000
        colors = picture.convert("RGB").getcolors(10_000_000) or []
        wanted = {(0x1F, 0x5F, 0x9E), (0xB3, 0x34, 0x1A)}  # the United States and China
        assert wanted <= {color for n, color in colors if n > 500}


def test_the_embed_code_shows_one_chart_in_a_foreign_page(
    tab: Tab, release: Path, served: str, tmp_path: Path
) -> None:
    tab.open(f"{served}/index.html?metric=likes")
    code = tab.run("OBSERVATORY_PAGE.embedOf(document.getElementById('country-now'))")
    source = html.unescape(re.search(r'src="([^"]+)"', code)[1])  # type: ignore[index]
    assert source == f"{served}/embed.html?chart=country-now&metric=likes"
    news = f"<!doctype html><link rel=icon href=data:,><p>News</p>{code}"
    (tmp_path / "foreign.html").write_text(news, encoding="utf-8")
    for place in serving(tmp_path):
        tab.open(f"{place}/foreign.html", ready="true")
        assert tab.complaints == []
        # The frame is another origin, so it is looked at as a page of its own.
        tab.open(source)
        assert tab.complaints == []
        assert tab.run("document.querySelectorAll('figure').length") == 1
        assert tab.run("document.querySelectorAll('[data-plot] > svg').length") == 1
        assert words("en")("metric.likes") in text(tab, ".definition")
        assert tab.run("OBSERVATORY.about.release") in text(tab, "figure")
        link = tab.run("document.querySelector('.tools a').href")
        assert link == f"{served}/index.html?metric=likes#country-now"


@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_can_be_embedded(tab: Tab, served: str, chart: str) -> None:
    tab.open(f"{served}/embed.html?chart={chart}")
    assert tab.complaints == []
    assert tab.run("document.querySelector('figure').id") == chart
    assert tab.run("document.querySelector('[data-plot]').children.length") == 1
    assert tab.run("document.querySelectorAll('tbody tr').length") > 0


def test_an_unknown_chart_in_the_address_runs_nothing(tab: Tab, served: str) -> None:
    tab.open(
        f"{served}/embed.html?chart=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&source=constructor"
    )
    assert tab.complaints == []
    assert tab.run("document.querySelector('figure').id") == "country-now"


# --- search, tables, colors ---------------------------------------------------------------------


def found(tab: Tab, query: str) -> list[str]:
    tab.run(f"""{{const i = document.querySelector('[data-search] input'); i.focus();
        i.value = {query!r}; i.dispatchEvent(new Event('input'))}}""")
    awaited(tab, "new Promise(done => setTimeout(done, 400))")
    return tab.run("[...document.querySelectorAll('[data-found] a')].map(a => a.href)")  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["index.html", "labs/alibaba.html", "index.hi.html"])
def test_search_finds_models_labs_and_statements_from_disk(
    tab: Tab, release: Path, name: str
) -> None:
    tab.open(f"{release.as_uri()}/{name}")
    hits = found(tab, "alibaba")
    lab = "labs/alibaba.hi.html" if ".hi." in name else "labs/alibaba.html"
    assert f"{release.as_uri()}/{lab}" in hits
    assert any("#m" in link for link in found(tab, "MiniLM-L6"))
    assert any("/claims/" in link for link in found(tab, "17.1"))
    assert found(tab, "no such thing anywhere") == []
    assert tab.run("document.querySelector('[data-search] [role=status]').textContent") != ""
    assert tab.complaints == []


def test_the_table_of_models_sorts_and_filters(tab: Tab, release: Path) -> None:
    tab.open(f"{release.as_uri()}/models.html")
    column = "[...document.querySelectorAll('#list tbody tr')].map(r => r.cells[8].dataset.value)"
    tab.run("document.querySelectorAll('#list thead button')[8].click()")
    likes = [int(value) for value in tab.run(column) if value]
    assert likes == sorted(likes, reverse=True)
    tab.run("document.querySelectorAll('#list thead button')[8].click()")
    values = tab.run(column)
    likes = [int(value) for value in values if value]
    assert likes == sorted(likes)
    assert "" not in values[: len(likes)]  # rows without a value are last in both orders
    assert (
        tab.run("document.querySelector('#list [aria-sort]').getAttribute('aria-sort')")
        == "ascending"
    )
    tab.run("""{const i = document.querySelector('[data-filter]'); i.value = 'qwen3 8b';
        i.dispatchEvent(new Event('input'))}""")
    shown = tab.run(
        "[...document.querySelectorAll('#list tbody tr:not([hidden]) th')].map(t => t.textContent)"
    )
    assert "Qwen/Qwen3-8B" in shown
    assert all("qwen3" in name.lower() and "8b" in name.lower() for name in shown)


def test_a_color_belongs_to_a_country(tab: Tab, release: Path) -> None:
    """The same color in every chart and definition, whatever the place in the list."""
    tab.open(f"{release.as_uri()}/index.html")
    seen: dict[str, set[str]] = {}
    for metric in ("downloads_30d", "likes"):
        tab.run(f"document.querySelector('[name=metric][value={metric}]').click()")
        labels = tab.run("""[...document.querySelectorAll(
            '#country-time svg text, #notable svg text, #gap-time svg text')]
            .filter(t => t.closest('[font-weight="600"]'))
            .map(t => [t.textContent, t.getAttribute('fill')])""")
        for label, color in labels:
            seen.setdefault(label, set()).add(color)
    assert {"United States", "China", "France"} <= set(seen)
    assert all(len(colors) == 1 for colors in seen.values()), seen
    assert len({next(iter(seen[name])) for name in ("United States", "China", "France")}) == 3


def test_charts_are_loaded_when_the_reader_comes_near(tab: Tab, served: str) -> None:
    """Who only reads the headline loads less than a tenth of the page's bytes."""
    tab.size(390)
    tab.requests, tab.complaints = [], []
    tab.call("Network.setCacheDisabled", cacheDisabled=True)
    tab.call("Page.navigate", url=f"{served}/index.html")
    awaited(tab, "new Promise(done => setTimeout(done, 1500))")
    assert [u for u in tab.requests if "plot.umd" in u or "data.js" in u] == []
    tab.run("dispatchEvent(new Event('scroll'))")
    for _ in range(100):
        if tab.run(READY):
            break
        awaited(tab, "new Promise(done => setTimeout(done, 100))")
    assert any("plot.umd" in u for u in tab.requests)
    assert tab.run("document.querySelectorAll('[data-plot] > svg').length") > 8


def test_a_phone_has_more_than_one_date_on_every_time_axis(tab: Tab, served: str) -> None:
    tab.size(360)
    tab.open(f"{served}/index.html#shares")
    for section in ("rankings", "trending"):
        tab.run(f"document.querySelector('#{section} .fold').click()")
    awaited(tab, "new Promise(done => setTimeout(done, 300))")
    for chart in ("country-time", "gap-time", "trending-time", "notable"):
        ticks = tab.run(f"document.querySelectorAll('#{chart} svg text').length && "
                        f"[...document.querySelectorAll('#{chart} svg g text')].filter(t => "
                        "/20\\d\\d|[A-Z][a-z]{2}/.test(t.textContent)).length")  # fmt: skip
        assert ticks >= 2, chart


# --- tokens, with a source that the sample lacks -------------------------------------------------

TOKENS = """INSERT INTO mart.token_share_daily
SELECT d.day, 'country', h.holder, h.holder, h.is_doubt, h.tokens, 250, 1000, h.tokens / 1000,
    CASE WHEN NOT h.is_doubt THEN h.tokens / 1000 END,
    CASE WHEN NOT h.is_doubt THEN (h.tokens + 250) / 1000 END, 1, true
FROM (VALUES (DATE '2026-09-30'), (DATE '2026-10-01')) AS d(day),
    (VALUES ('US', 450, false), ('CN', 300, false), ('cloaked', 200, true), ('other', 50, true))
        AS h(holder, tokens, is_doubt)"""


@pytest.mark.parametrize("language", ["en", "hi"])
def test_tokens_are_drawn_with_what_is_in_doubt(
    tab: Tab, release: Path, tmp_path: Path, language: str
) -> None:
    folder, t = paged(release, tmp_path / "tokens", TOKENS), words(language)
    name = "index.html" if language == "en" else f"index.{language}.html"
    tab.open(f"{folder.as_uri()}/{name}")
    assert tab.complaints == []
    assert tab.run("document.querySelectorAll('#tokens-time svg').length") == 1
    rows = csv_of(tab, "tokens-time")
    names = [t.country("US"), t.country("CN"), t("tokens.cloaked"), t("tokens.other")]
    assert [[row[n] for n in names] for row in rows] == [["0.45", "0.3", "0.2", "0.05"]] * 2
    assert t.percent(250) in text(tab, "#tokens-time .definition")
    tab.open(f"{folder.as_uri()}/{name.replace('index', 'embed')}?chart=tokens-time")
    assert tab.run("document.querySelectorAll('[data-plot] > svg').length") == 1


def test_a_release_without_tokens_says_so_where_they_are_embedded(tab: Tab, served: str) -> None:
    tab.open(f"{served}/embed.html?chart=tokens-time")
    assert tab.complaints == []
    assert text(tab, "[data-plot]") == words("en")("nothing")
