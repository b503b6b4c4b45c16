"""Names of the registry that look like a given one."""

from __future__ import annotations

from rapidfuzz import fuzz, process

from warehouse.registry.load import read_registry

SCORE = 88  # of 100; below it a similarity means nothing
MOST = 5
SHORTEST = 4  # letters; shorter names look like everything


def similar(name: str) -> list[str]:
    """Known labs and names that look like this one, best first: `name (lab_id)`."""
    if len(name) < SHORTEST:
        return []
    known = {
        **dict(read_registry("namespaces").select("namespace", "lab_id").iter_rows()),
        **dict(read_registry("labs").select("lab_name", "lab_id").iter_rows()),
        **{lab: lab for lab in read_registry("labs")["lab_id"]},
    }
    found = process.extract(
        name, list(known), scorer=fuzz.WRatio, processor=_plain, score_cutoff=SCORE, limit=None
    )
    labs = {known[text]: text for text, _, _ in reversed(found)}
    return [f"{text} ({lab})" for lab, text in reversed(labs.items())][:MOST]


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("-", " ").replace("_", " ").split())
