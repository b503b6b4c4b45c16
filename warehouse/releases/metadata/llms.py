"""`llms.txt`: what a release is and how to read it, in plain text for language models."""

from __future__ import annotations

from warehouse.releases.manifest import Manifest, TableEntry
from warehouse.releases.metadata.about import DESCRIPTION, TITLE, credit
from warehouse.releases.metadata.odcs import LIMITATIONS

FILES = {
    "manifest.json": "every table with columns, units, key, warnings, licenses and SHA-256",
    "DICTIONARY.md": "every column and usage warning explained",
    "CITATION.md": "how to credit the release and the sources of each table",
    "catalog.duckdb": "the same tables as views of the Parquet files, to attach over HTTPS or S3",
    "observatory.duckdb": "all tables with comments and macros, for DuckDB 1.4 or newer",
    "datacontract.yaml": "the marts as a data contract (ODCS 3.1)",
    "openlineage.jsonl": "which tables each table was computed from",
}
PYTHON = """```python
import observatory  # pip install origin-observatory

release = observatory.open("ADDRESS")  # the folder that has latest.json
release.share(["CN", "US"], day="newest")  # shares with their bounds
release.sql("SELECT * FROM mart.claims")
```"""


def llms(manifest: Manifest) -> str:
    """Title, rules for a true answer, files, result tables."""
    sample = "This release is a SAMPLE of public figures, not the whole Hub.\n\n"
    marts = [table for table in manifest.tables if table.name.startswith("mart.") and table.rows]
    return (
        f"# {TITLE}\n\n> {DESCRIPTION}\n\n{sample if manifest.is_sample else ''}"
        f"{credit(manifest)} Give release id, table and definition beside each number.\n\n"
        f"## Rules\n\n{LIMITATIONS} Give `share_lower` and `share_upper` beside `share`. Codes: "
        "ZZ = examined, no single country; XX = not examined.\n\n"
        f"## Python\n\n{PYTHON}\n\n"
        f"## Files\n\n{_lines({f'[{name}]({name})': about for name, about in FILES.items()})}\n"
        f"## Result tables\n\n{_lines({_link(t): t.description for t in marts})}"
    )


def _link(table: TableEntry) -> str:
    return f"[{table.name}]({table.path})"


def _lines(entries: dict[str, str]) -> str:
    return "".join(f"- {name}: {about}\n" for name, about in entries.items())
