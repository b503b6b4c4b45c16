"""What the search of the pages finds: models, labs and statements."""

from __future__ import annotations

from typing import Any

from warehouse.site.address import file_of
from warehouse.site.claim_texts import ClaimTexts
from warehouse.site.i18n import Words


def entries(data: dict[str, Any], t: Words) -> list[list[str]]:
    """`[kind, where, name, about]`: labs first, then models by downloads, then statements."""
    said, models = ClaimTexts(t), file_of("models", t.language)
    labs = [
        ["lab", file_of(f"labs/{row['lab_id']}", t.language), t.lab(row["lab_id"], row["lab_name"]),
         _joined(t.country(row["country_code"], row["country_name"]), row["lab_name"],
                 row["hub_namespaces"])]
        for row in data["labs"]
    ]  # fmt: skip
    found = [
        ["model", f"{models}#m{row['place']}", row["model"],
         _joined(t.lab(row["lab_id"], row["lab_name"]), row["family_name"])]
        for row in data["models"]["rows"]
    ]  # fmt: skip
    claims = [
        ["claim", file_of(f"claims/{e['id']}", t.language), said.statement(e["stated"]),
         _joined(e["stated"]["publisher"])]
        for e in data["claims"]["entries"]
    ]  # fmt: skip
    return [*labs, *found, *claims]


def _joined(*parts: str | None) -> str:
    return ", ".join(dict.fromkeys(part for part in parts if part))
