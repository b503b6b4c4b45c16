"""axe and Lighthouse on the built pages, in headless Chromium.

They come from npm: `npm ci --prefix infra/page-audits --ignore-scripts`, and the folder's path in
OBSERVATORY_WITH_AUDITS.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.conftest import ROOT
from tests.support.browser import Tab, browsing, chromium, debugging_port
from tests.support.pages import paged

AUDITS = os.environ.get("OBSERVATORY_WITH_AUDITS", "")
pytestmark = pytest.mark.skipif(
    chromium() is None or not AUDITS, reason="no chromium, or OBSERVATORY_WITH_AUDITS is not set"
)
KINDS = ("index", "labs/alibaba", "claims/mit-hf-share-year-2025", "models", "labs", "embed")
PORT_OF_PAGES = 18_462  # the pages state their own address, so it is fixed


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browsing(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(sampled: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published place with the pages and their own address."""
    place = tmp_path_factory.mktemp("place")
    published = sampled[0] / "published" / "latest"
    folder = paged(published, place / "latest", public_url=f"http://127.0.0.1:{PORT_OF_PAGES}")
    (place / "robots.txt").write_bytes((folder / "robots.txt").read_bytes())
    return place


class Compressing(SimpleHTTPRequestHandler):
    """Serves files as a web server does: compressed."""

    def send_head(self) -> BytesIO | BinaryIO | None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return super().send_head()
        body = gzip.compress(path.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return BytesIO(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def served(pages: Path) -> Iterator[str]:
    address = ("127.0.0.1", PORT_OF_PAGES)
    with ThreadingHTTPServer(address, partial(Compressing, directory=str(pages))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{PORT_OF_PAGES}/latest"
        server.shutdown()


def axe(tab: Tab) -> list[dict[str, Any]]:
    """The violations that axe finds, each with its places."""
    tab.run((Path(AUDITS) / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8") + ";1")
    done = tab.call(
        "Runtime.evaluate",
        expression="axe.run().then(r => r.violations.map(v => ({id: v.id,"
        " places: v.nodes.map(n => n.target.join(' '))})))",
        awaitPromise=True,
        returnByValue=True,
    )
    assert "exceptionDetails" not in done, done
    return done["result"]["value"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("end", "scheme", "width"),
    [
        (".html", "light", 1280),
        pytest.param(".hi.html", "light", 1280, marks=pytest.mark.slow),
        pytest.param(".html", "dark", 390, marks=pytest.mark.slow),
        pytest.param(".hi.html", "dark", 390, marks=pytest.mark.slow),
    ],
)
def test_axe_finds_no_violation(
    tab: Tab, served: str, kind: str, end: str, scheme: str, width: int
) -> None:
    """With the charts drawn, every section open, and every table shown."""
    tab.size(width)
    tab.media(prefers_color_scheme=scheme)
    tab.open(f"{served}/{kind}{end}")
    tab.run("document.querySelectorAll('.fold').forEach(b => b.click())")
    tab.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert axe(tab) == []


@pytest.mark.slow
def test_lighthouse_is_satisfied(served: str, tmp_path: Path) -> None:
    """A phone with compression: everything else 100, performance at least 90, under 700 kB."""
    script = Path(AUDITS) / "lighthouse.mjs"
    script.write_bytes((ROOT / "infra/page-audits/lighthouse.mjs").read_bytes())
    addresses = [f"{served}/{kind}.html" for kind in KINDS if kind != "embed"]
    with browsing(tmp_path / "profile"):
        port = debugging_port(tmp_path / "profile")
        done = subprocess.run(
            ["node", script, str(port), *addresses, f"{served}/index.hi.html"],
            capture_output=True, text=True, timeout=500, check=True,
        )  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(KINDS)
    for one in found:
        scores = one["scores"]
        assert {scores[c] for c in ("accessibility", "best-practices", "seo")} == {100}, one
        assert scores["performance"] >= 90, one
        assert one["bytes"] < 700_000, one
