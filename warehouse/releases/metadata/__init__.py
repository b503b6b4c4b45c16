"""The metadata of a release in standard formats, all from the contracts.

`datapackage.json` (Frictionless), `croissant.json` (Croissant), `DICTIONARY.md` and
`dictionary.html` (the data dictionary), `CITATION.md`, `datacontract.yaml` (Open Data Contract
Standard), `openlineage.jsonl`, `llms.txt` and `zenodo.json`. Each is made from the manifest, which
already leaves out what a license forbids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from warehouse.contracts.table import Contract
from warehouse.releases.manifest import Manifest
from warehouse.releases.metadata.citation import citation_markdown
from warehouse.releases.metadata.croissant import croissant
from warehouse.releases.metadata.datapackage import datapackage
from warehouse.releases.metadata.dictionary import dictionary_html, dictionary_markdown
from warehouse.releases.metadata.llms import llms
from warehouse.releases.metadata.odcs import odcs
from warehouse.releases.metadata.openlineage import openlineage
from warehouse.releases.metadata.zenodo import zenodo

FILES = (
    *("datapackage.json", "croissant.json", "DICTIONARY.md", "dictionary.html", "CITATION.md"),
    *("datacontract.yaml", "openlineage.jsonl", "llms.txt", "zenodo.json"),
)


def write_metadata(
    folder: Path,
    manifest: Manifest,
    tables: Mapping[str, Contract],
    edges: Iterable[tuple[str, str]] = (),
) -> None:
    """Writes FILES next to the tables. The same manifest and contracts give the same bytes.

    `edges` are pairs of a table and one that it was computed from.
    """
    texts = (
        datapackage(manifest, tables),
        croissant(manifest),
        dictionary_markdown(manifest),
        dictionary_html(manifest),
        citation_markdown(manifest),
        odcs(manifest, tables),
        openlineage(manifest, edges),
        llms(manifest),
        zenodo(manifest),
    )
    for name, text in zip(FILES, texts, strict=True):
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
