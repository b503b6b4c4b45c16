"""JSON-LD of the pages: the data set and the reviewed statements (schema.org)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from warehouse.releases.manifest import Manifest
from warehouse.site.i18n import Words

PUBLISHER = {"@type": "Organization", "name": "Origin Observatory"}
# Of 4: how far the data bears a statement out. A statement that cannot be tested has no number.
RATINGS = {"reproduced": 4, "differs_by_definition": 2, "contradicted": 1}
BEST = 4


def dataset(manifest: Manifest, t: Words) -> dict[str, Any]:
    """The release as a data set; `croissant.json` beside it describes every column."""
    sources = [s for s in manifest.sources if s.snapshots]
    return {
        "@type": "Dataset",
        "name": t("title"),
        "description": f"{t('tagline')}. {t('downloads.intro')}",
        "version": manifest.release_id,
        "dateModified": manifest.as_of.isoformat(),
        "inLanguage": t.language,
        "isAccessibleForFree": True,
        "license": "https://www.apache.org/licenses/LICENSE-2.0",
        "creator": PUBLISHER,
        "isBasedOn": [s.homepage for s in sources if s.homepage.startswith("https://")],
        "distribution": [
            {
                "@type": "DataDownload",
                "name": table.name,
                "contentUrl": table.path,
                "encodingFormat": "application/vnd.apache.parquet",
                "sha256": table.sha256,
            }
            for table in manifest.tables
            if table.name.startswith("mart.")
        ],
    }


def claim_review(
    row: Mapping[str, Any], statement: str, answer: str, manifest: Manifest, t: Words
) -> dict[str, Any]:
    """The test of a published statement."""
    appearance = {"appearance": {"@type": "CreativeWork", "url": row["url"]}} if row["url"] else {}
    published = row["published_on"]
    rating = RATINGS.get(str(row["verdict"]))
    numbers = (
        {} if rating is None else {"ratingValue": rating, "bestRating": BEST, "worstRating": 1}
    )
    return {
        "@type": "ClaimReview",
        "claimReviewed": statement,
        "datePublished": manifest.as_of.isoformat(),
        "inLanguage": t.language,
        "author": PUBLISHER,
        "reviewBody": answer,
        "itemReviewed": {
            "@type": "Claim",
            "author": {"@type": "Organization", "name": row["publisher"]},
            **({"datePublished": published.isoformat()} if published else {}),
            **appearance,
        },
        "reviewRating": {
            "@type": "Rating",
            "alternateName": t(f"verdict.{row['verdict']}"),
            **numbers,
        },
    }
