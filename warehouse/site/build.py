"""Writes the pages into a staged release: `index.html`, a page a lab and a claim, `page/` and more.

They are made from the DuckDB file of the release only, so a public page shows nothing that is not
in the public release. All content is escaped: by Jinja in HTML and XML, as JSON in the data files,
and as text nodes in the scripts. Equal releases give equal bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from warehouse.contracts.source import Card, cards
from warehouse.releases.manifest import Manifest
from warehouse.site import views
from warehouse.site.address import Address
from warehouse.site.claim_texts import ClaimTexts
from warehouse.site.feed import write_feeds
from warehouse.site.i18n import LANGUAGES, words
from warehouse.site.picture import write_picture
from warehouse.site.release_tables import Tables, released
from warehouse.site.render import Page, write_html
from warehouse.site.scripts import chart_data, texts, write_script
from warehouse.site.search import entries
from warehouse.site.sections.arena import arena
from warehouse.site.sections.claims import claims
from warehouse.site.sections.health import health
from warehouse.site.sections.labs import labs
from warehouse.site.sections.models import models
from warehouse.site.sections.notable import notable
from warehouse.site.sections.registry import registry
from warehouse.site.sections.shares import shares, trending
from warehouse.site.sections.tokens import tokens

ASSETS = Path(__file__).parent / "assets"
FOLDER = "page"  # next to index.html


def write_page(
    folder: Path,
    manifest: Manifest,
    source_cards: Mapping[str, Card] | None = None,
    public_url: str | None = None,
) -> None:
    """Writes the pages of the release in `folder`. `manifest` lists the files staged so far.

    `public_url` is where readers find the place that the release is published to. Without it the
    pages name no address of their own, and there is no site map.
    """
    with released(folder / "observatory.duckdb") as tables:
        data = gather(manifest, tables, dict(source_cards or cards()))
    (folder / FOLDER).mkdir()
    for asset in sorted(ASSETS.iterdir()):
        shutil.copyfile(asset, folder / FOLDER / asset.name)
    write_script(folder / FOLDER / "data.js", "OBSERVATORY", chart_data(data))
    write_picture(folder / FOLDER / "picture.png", data, manifest)
    address = Address(public_url)
    for language in LANGUAGES:
        speak = words(language)
        said = ClaimTexts(speak)
        write_script(folder / FOLDER / f"text.{language}.js", "WORDS", texts(language, data))
        write_script(folder / FOLDER / f"search.{language}.js", "SEARCH", entries(data, speak))
        html = pages(data, manifest, language, said)
        write_html(folder, language, manifest, address, data["pages"], html)
    write_feeds(folder, data, manifest, address)


def pages(
    data: dict[str, Any], manifest: Manifest, language: str, said: ClaimTexts
) -> Iterator[Page]:
    """Every HTML page in one language."""
    t = words(language)
    yield views.index(data, manifest, t, said)
    yield views.embed(t)
    yield views.models(data, t)
    yield views.labs(data, t)
    for lab in data["labs"]:
        yield views.lab(lab, data, t, said)
    for claim in data["claims"]["entries"]:
        yield views.claim(claim, data, manifest, t, said)


def gather(manifest: Manifest, tables: Tables, source_cards: dict[str, Card]) -> dict[str, Any]:
    """The content of the pages by section."""
    found = labs(tables)
    return {
        "about": {"release": manifest.release_id, "as_of": manifest.as_of},
        "shares": shares(tables),
        "trending": trending(tables),
        "arena": arena(tables),
        "notable": notable(tables),
        "tokens": tokens(tables),
        "registry": registry(tables),
        "claims": claims(tables),
        "models": models(tables),
        "labs": found,
        "pages": [lab["lab_id"] for lab in found],
        "health": health(manifest, tables, source_cards),
    }
