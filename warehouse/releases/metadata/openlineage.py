"""`openlineage.jsonl`: which tables each table was computed from, as OpenLineage events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from uuid import NAMESPACE_URL, uuid5

from warehouse.releases.manifest import Manifest
from warehouse.releases.metadata.about import NAME

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
PRODUCER = "https://example.org/origin-observatory"


def openlineage(manifest: Manifest, edges: Iterable[tuple[str, str]]) -> str:
    """One COMPLETE event per computed table, in the order of names, without tables left out.

    The time of an event is that of the release's last day, and the run's id follows from release
    and table, so that equal releases have equal events.
    """
    left_out = {x.table for x in manifest.left_out if x.predicate is None}
    inputs: dict[str, list[str]] = {}
    for table, source in sorted(edges):
        if not {table, source} & left_out:
            inputs.setdefault(table, []).append(source)
    return "".join(
        json.dumps(_event(manifest, table, found)) + "\n" for table, found in inputs.items()
    )


def _event(manifest: Manifest, table: str, inputs: list[str]) -> dict[str, object]:
    return {
        "eventType": "COMPLETE",
        "eventTime": f"{manifest.as_of}T00:00:00Z",
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": str(uuid5(NAMESPACE_URL, f"{NAME}/{manifest.release_id}/{table}"))},
        "job": {"namespace": NAME, "name": table},
        "inputs": [{"namespace": NAME, "name": name} for name in inputs],
        "outputs": [{"namespace": NAME, "name": table}],
    }
