"""`README.md` of the release as a dataset repository of the Hub, with its YAML header."""

from __future__ import annotations

import yaml

from warehouse.contracts.table import literal
from warehouse.releases.manifest import Manifest, TableEntry
from warehouse.releases.metadata.about import (
    DESCRIPTION,
    TITLE,
    all_licenses,
    credit,
    license_address,
    offered,
)
from warehouse.releases.metadata.odcs import LIMITATIONS

FIRST = "mart.country_share_daily"  # the viewer's default
TAGS = [
    "open-models",
    "leaderboards",
    "country-of-origin",
    "huggingface-hub",
    "lmarena",
    "epoch-ai",
]
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
         (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"))  # fmt: skip


USE = """## Use

With `datasets`:

```python
from datasets import load_dataset

shares = load_dataset("{repository}", "mart.country_share_daily", split="train")
```

With DuckDB 1.4 or newer, without a download of the rest:

```sql
SELECT as_of_date, country_name, share, share_lower, share_upper
FROM {file}
WHERE population = 'all' AND metric = 'downloads_30d' AND attribution = 'publisher'
    AND credit = 'fractional' AND country_code IN ('CN', 'US')
ORDER BY as_of_date, share DESC;
```

## Limits and doubt

{limitations} Every share has its bounds in `share_lower` and `share_upper`: what is not examined
(XX) or has no single country (ZZ) may be anybody's. `panel_id` and `panel_share_of_models` say how
much of the Hub a day's listing covers.

"""


def card(manifest: Manifest, repository: str) -> str:
    """The dataset card, with one config per table for the viewer and `load_dataset`."""
    about = {
        "pretty_name": "Origin Observatory",
        "language": ["en"],
        "license": "other",
        "license_name": "by-table",
        "license_link": "CITATION.md",
        "size_categories": [_size(sum(t.rows for t in manifest.tables))],
        "tags": TAGS,
        "configs": [_config(t) for t in offered(manifest)],
    }
    header = yaml.safe_dump(about, sort_keys=False, allow_unicode=True)
    return f"---\n{header}---\n\n{_text(manifest, repository)}"


def _config(table: TableEntry) -> dict[str, object]:
    config: dict[str, object] = {"config_name": table.name}
    data = {"data_files": [{"split": "train", "path": table.path}]}
    return config | data | ({"default": True} if table.name == FIRST else {})


def _file(repository: str) -> str:
    """The first table in the repository, as DuckDB names it."""
    return literal(f"hf://datasets/{repository}/{FIRST}.parquet")


def _size(rows: int) -> str:
    """The Hub's size category of a number of rows."""
    return next((name for limit, name in SIZES if rows < limit), "100M<n<1B")


def _text(manifest: Manifest, repository: str) -> str:
    sample = "**SAMPLE of public figures, not the whole Hub.**\n\n" if manifest.is_sample else ""
    tables = "\n".join(f"| `{t.name}` | {t.rows:,} | {t.grain} |" for t in offered(manifest))
    terms = "\n".join(
        f"* {x.source}: [{x.raw}]({license_address(x)}); {x.ours}" for x in all_licenses(manifest)
    )
    credits = "\n".join(f"* {s.citation}" for s in manifest.sources)
    return (
        f"# {TITLE}\n\n{sample}{DESCRIPTION}\n\n"
        "![The two countries with the largest shares of downloads](page/picture.png)\n\n"
        f"Release `{manifest.release_id}`, as of {manifest.as_of}. `DICTIONARY.md` explains every "
        "column and usage warning, `manifest.json` names every file's sha256 and every snapshot "
        "behind it, and `observatory.duckdb` has the same tables with comments and macros.\n\n"
        + USE.format(repository=repository, file=_file(repository), limitations=LIMITATIONS)
        + "## Tables\n\n`manifest.json` lists the raw and the empty tables too.\n\n"
        f"| table | rows | grain |\n| --- | --- | --- |\n{tables}\n\n"
        f"## Licenses\n\nEach table is under the terms of its sources (`CITATION.md` lists them "
        f"by table). Figures whose license allows no adaptation are not here.\n\n{terms}\n\n"
        f"## Citation\n\n{credit(manifest)}\n\nWith:\n\n{credits}\n"
    )
