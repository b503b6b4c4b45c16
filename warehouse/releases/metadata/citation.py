"""`CITATION.md`: how to credit the release, and every producer behind each table."""

from __future__ import annotations

from warehouse.releases.manifest import Manifest, SourceEntry
from warehouse.releases.metadata.about import credit, license_address


def citation_markdown(manifest: Manifest) -> str:
    """The release, its sources with license and days, the sources of each table."""
    parts = [
        f"# How to cite\n\n{credit(manifest)}",
        "Next to every number, give the table, the definition (in its columns) and the release id, "
        "and credit the sources of that table.",
        "## Sources",
        *map(_source, manifest.sources),
        "## Sources of each table",
        "\n".join(
            f"* {table.name}: {', '.join(x.source for x in table.licenses)}"
            for table in manifest.tables
        ),
    ]
    if manifest.left_out:
        lines = dict.fromkeys(
            f"* {x.table}, {'whole' if x.predicate is None else 'some rows'}: {x.license}"
            for x in manifest.left_out
        )
        parts += ["## Left out of this release for its license", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _source(source: SourceEntry) -> str:
    days = [s.snapshot_date for s in source.snapshots]
    seen = (
        f"observed on {len(days)} days, {min(days)} to {max(days)}" if days else "part of the code"
    )
    return (
        f"### {source.source}\n\n{source.citation}\n\n"
        f"* producer: {source.producer}\n* license: {source.license.raw} "
        f"({license_address(source.license)})\n* our use: {source.license.ours}\n* {seen}"
    )
