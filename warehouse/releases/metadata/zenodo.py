"""`zenodo.json`: the metadata of a deposit that gives a release a DOI."""

from __future__ import annotations

from warehouse.releases.manifest import Manifest
from warehouse.releases.metadata.about import (
    DESCRIPTION,
    KEYWORDS,
    TITLE,
    all_licenses,
    credit,
    license_address,
    to_text,
    version,
)


def zenodo(manifest: Manifest) -> str:
    """Fields of Zenodo's deposit API. No single license applies, so `notes` list them."""
    terms = "; ".join(f"{x.source}: {x.raw} ({license_address(x)})" for x in all_licenses(manifest))
    return to_text(
        {
            "title": f"{TITLE} ({manifest.release_id})",
            "upload_type": "dataset",
            "description": f"<p>{DESCRIPTION}</p><p>{credit(manifest)}</p>",
            "creators": [{"name": "The Origin Observatory developers"}],
            "version": version(manifest),
            "publication_date": manifest.as_of.isoformat(),
            "keywords": list(KEYWORDS),
            "access_right": "open",
            "license": "other-at",
            "notes": f"Each table is under the terms of its sources (CITATION.md). {terms}",
        }
    )
