"""The metadata of a release in standard formats, all from the contracts.

`datapackage.json` (Frictionless), `croissant.json` (Croissant), `DICTIONARY.md` and
`dictionary.html` (the data dictionary), `CITATION.md`. Each is made from the manifest, which
already leaves out what a license forbids.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from warehouse.contracts.table import Contract
from warehouse.releases.manifest import Manifest
from warehouse.releases.metadata.citation import citation_markdown
from warehouse.releases.metadata.croissant import croissant
from warehouse.releases.metadata.datapackage import datapackage
from warehouse.releases.metadata.dictionary import dictionary_html, dictionary_markdown

FILES = ("datapackage.json", "croissant.json", "DICTIONARY.md", "dictionary.html", "CITATION.md")


def write_metadata(folder: Path, manifest: Manifest, tables: Mapping[str, Contract]) -> None:
    """Writes FILES next to the tables. The same manifest and contracts give the same bytes."""
    texts = (
        datapackage(manifest, tables),
        croissant(manifest),
        dictionary_markdown(manifest),
        dictionary_html(manifest),
        citation_markdown(manifest),
    )
    for name, text in zip(FILES, texts, strict=True):
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
