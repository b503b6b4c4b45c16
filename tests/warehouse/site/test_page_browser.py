"""The page in a real browser: charts, switches, keyboard, and no outside requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.browser import Tab, browsing, chromium
from tests.support.pages import emptied, hostile_names, paged
from warehouse.site.i18n import FILES, words
from warehouse.site.numbers import NEARLY_ALL, NEARLY_NOTHING

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no chromium (Debian: apt-get install chromium fonts-noto-core)"
)
LANGUAGE = pytest.mark.parametrize(("language", "name"), sorted(FILES.items()))
DRAWN = "document.querySelectorAll('[data-plot] > svg.plot-svg').length"
TAB, RIGHT, ENTER = ("Tab", 9), ("ArrowRight", 39), ("Enter", 13, "\r")


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browsing(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _desk(request: pytest.FixtureRequest) -> None:
    if "tab" in request.fixturenames:
        opened: Tab = request.getfixturevalue("tab")
        opened.size(1280)
        opened.media(prefers_color_scheme="light")


@pytest.fixture(scope="module")
def release(sampled: tuple[Path, str]) -> Path:
    return sampled[0] / "published" / "latest"


@pytest.fixture(scope="module")
def served(release: Path) -> Iterator[str]:
    """The release over HTTP."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(release))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def text(tab: Tab, selector: str) -> str:
    return str(tab.run(f"document.querySelector({selector!r}).textContent"))


def cells(tab: Tab, table: str) -> list[list[str]]:
    rows = f"[...document.querySelectorAll('{table} tbody tr')]"
    return tab.run(f"{rows}.map(r => [...r.children].map(c => c.textContent))")  # type: ignore[no-any-return]


def picture(tab: Tab, figure: str) -> str:
    return str(tab.run(f"document.querySelector('{figure} svg')?.outerHTML ?? ''"))


@LANGUAGE
@pytest.mark.parametrize("scheme", ["file", "http"])
def test_page_draws_without_errors_or_outside_requests(
    tab: Tab, release: Path, served: str, scheme: str, language: str, name: str
) -> None:
    start = release.as_uri() if scheme == "file" else served
    tab.call("Network.setCacheDisabled", cacheDisabled=True)
    tab.open(f"{start}/{name}")
    assert tab.complaints == []
    assert tab.run(DRAWN) >= 8
    assert tab.run("document.documentElement.lang") == language
    paths = [urlsplit(url).path.removeprefix(urlsplit(start).path) for url in tab.requests]
    assert [u for u in tab.requests if not u.startswith(start)] == []
    assert [p for p in paths if p not in (f"/{name}",) and not p.startswith("/page/")] == []
    assert len(paths) >= 8


@LANGUAGE
def test_definition_switch_changes_chart_table_and_text(
    tab: Tab, release: Path, language: str, name: str
) -> None:
    tab.open(f"{release.as_uri()}/{name}")
    speak = words(language)
    before = cells(tab, "#country-now"), picture(tab, "#country-now"), cells(tab, "#lab-now")
    tab.run("document.querySelector('[name=attribution][value=base]').click()")
    after = cells(tab, "#country-now"), picture(tab, "#country-now"), cells(tab, "#lab-now")
    assert all(a != b for a, b in zip(before, after, strict=True))
    definition = text(tab, "#country-now .definition")
    assert speak("attribution.base") in definition
    assert speak("attribution.base.about") == text(tab, "[data-about=attribution]")
    assert definition in text(tab, "[data-status]")  # announced to screen readers
    drawn = {row[0]: row[1] for row in after[0]}
    data = tab.run("OBSERVATORY.shares.country['all|downloads_30d|base|fractional'].now")
    rows = [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]
    assert drawn == {speak.country(r["id"], r["name"]): speak.percent(r["share"]) for r in rows}


def test_tables_are_the_same_with_and_without_scripts(tab: Tab, release: Path) -> None:
    """Scripts redraw the tables of the HTML with the same numbers."""
    for name in FILES.values():
        tab.call("Emulation.setScriptExecutionDisabled", value=True)
        tab.open(f"{release.as_uri()}/{name}", ready="true")
        still = [cells(tab, f"#{kind}-now") for kind in ("country", "lab", "family")]
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
        tab.open(f"{release.as_uri()}/{name}")
        assert [cells(tab, f"#{kind}-now") for kind in ("country", "lab", "family")] == still
        assert all(len(rows) > 3 for rows in still)


@LANGUAGE
def test_python_and_browser_format_numbers_and_dates_alike(
    tab: Tab, release: Path, language: str, name: str
) -> None:
    """Python formats the static HTML and Intl the scripts; both must give the same text."""
    tab.open(f"{release.as_uri()}/{name}")
    speak = words(language)
    shares = [*range(0, 1001, 7), 1000, NEARLY_NOTHING, NEARLY_ALL]
    assert tab.run(f"{shares}.map(format.percent)") == [speak.percent(s) for s in shares]
    counts = [0, 7, 999, 1000, 12345, 123456, 1234567, 2111664171]
    assert tab.run(f"{counts}.map(format.integer)") == [speak.integer(n) for n in counts]
    days = [f"2026-{month:02d}-{month + 9:02d}" for month in range(1, 13)]
    assert tab.run(f"{days}.map(format.day)") == [speak.day(d) for d in days]
    some = [0, 1, 2, 10]
    said = tab.run(f"{some}.map(n => format.text('days', {{count: n, n}}))")
    assert said == [speak("days", count=n, n=n) for n in some]


def test_language_link_keeps_the_definition(tab: Tab, served: str) -> None:
    tab.open(f"{served}/index.html")
    tab.run("document.querySelector('[name=metric][value=likes]').click()")
    tab.open(tab.run("document.querySelector('[data-language][lang=hi]').href"))
    assert tab.run("document.querySelector('[name=metric]:checked').value") == "likes"
    assert words("hi")("metric.likes") in text(tab, "#country-now .definition")


def test_unknown_values_in_the_address_are_ignored(tab: Tab, served: str) -> None:
    tab.open(f"{served}/index.html?metric=%3Cimg%20src%3Dx%3E&elements=1&population=llm_vlm")
    assert tab.complaints == []
    assert tab.run("document.querySelector('[name=population]:checked').value") == "llm_vlm"
    assert tab.run("document.querySelector('[name=metric]:checked').value") == "downloads_30d"


def test_page_works_with_the_keyboard(tab: Tab, release: Path) -> None:
    tab.open(f"{release.as_uri()}/index.html")
    tab.press(*TAB)
    assert tab.run("document.activeElement.className") == "skip"
    assert tab.run("document.activeElement.getBoundingClientRect().top") >= 0  # it is visible
    tab.press(*ENTER)
    assert tab.run("document.activeElement.id") == "main"
    for _ in range(40):
        tab.press(*TAB)
        if tab.run("document.activeElement.name") == "population":
            break
    else:
        raise AssertionError("the switch is not reachable with the Tab key")
    ring = "getComputedStyle(document.activeElement.nextElementSibling).outlineStyle"
    assert tab.run(ring) == "solid"  # the focus is visible
    before = cells(tab, "#country-now")
    tab.press(*RIGHT)
    assert tab.run("document.activeElement.checked")
    assert cells(tab, "#country-now") != before


def test_every_chart_has_a_table_and_a_label(tab: Tab, release: Path) -> None:
    tab.open(f"{release.as_uri()}/index.html")
    figures = tab.run("[...document.querySelectorAll('figure')].map(f => f.id)")
    assert len(figures) >= 9
    for figure in figures:
        assert len(cells(tab, f"#{figure} table")) > 0, figure
        label = tab.run(
            f"document.querySelector('#{figure} [role=img]').getAttribute('aria-label')"
        )
        assert len(label) > len(text(tab, f"#{figure} h3")) + 5, figure  # it describes the chart
    assert tab.run("[...document.querySelectorAll('th')].every(h => h.scope)")
    unlabelled = "[...document.querySelectorAll('select, input')].filter(e => !e.labels.length)"
    assert tab.run(f"{unlabelled}.length") == 0


@LANGUAGE
@pytest.mark.parametrize("width", [320, 390, 768])
def test_page_fits_small_screens(
    tab: Tab, release: Path, width: int, language: str, name: str
) -> None:
    tab.size(width)
    tab.open(f"{release.as_uri()}/{name}")
    assert tab.run("document.documentElement.scrollWidth") <= width
    over = "[...document.querySelectorAll('[data-plot] > svg')].map(s => s.getBoundingClientRect())"
    assert tab.run(f"Math.max(...{over}.map(r => r.right))") <= width


def test_color_schemes_use_different_colors(tab: Tab, release: Path) -> None:
    found = []
    for scheme in ("light", "dark"):
        tab.media(prefers_color_scheme=scheme)
        tab.open(f"{release.as_uri()}/index.html")
        style = "getComputedStyle(document.body)"
        found.append((tab.run(f"{style}.backgroundColor"), tab.run(f"{style}.color")))
    assert len(set(found[0]) | set(found[1])) == 4


def test_names_from_sources_run_no_code(tab: Tab, release: Path, tmp_path: Path) -> None:
    folder = paged(release, tmp_path / "hostile", *hostile_names())
    for name in FILES.values():
        tab.open(f"{folder.as_uri()}/{name}")
        assert tab.complaints == []
        assert tab.run("typeof window.hacked") == "undefined"
        assert tab.run("document.images.length") == 1  # the logo
        shown = text(tab, "[data-board-countries] tbody")
        assert "</script><img src=x onerror=" in shown
        assert "{{ 7*7 }}" in shown
        assert tab.run(DRAWN) >= 8


def test_page_without_results_renders(tab: Tab, release: Path, tmp_path: Path) -> None:
    folder = paged(release, tmp_path / "empty", *emptied(release / "observatory.duckdb"))
    for language, name in FILES.items():
        tab.open(f"{folder.as_uri()}/{name}")
        assert tab.complaints == []
        assert text(tab, "#shares .nothing") == words(language)("nothing")


def test_printing_opens_every_table(tab: Tab, release: Path) -> None:
    tab.open(f"{release.as_uri()}/index.html")
    assert tab.run("document.querySelectorAll('details:not([open])').length") > 5
    tab.call("Page.printToPDF")
    assert tab.run("document.querySelectorAll('details:not([open])').length") == 0
