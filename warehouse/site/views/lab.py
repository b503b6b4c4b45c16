"""The page of one lab."""

from __future__ import annotations

from typing import Any

from warehouse.site.claim_texts import ClaimTexts
from warehouse.site.i18n import MISSING, Words
from warehouse.site.render import Page

# Measure -> its day, and the column with the reason why it is missing (mart.labs).
COUNTS = {
    "hub_models": ("hub_as_of_date", "hub_models_missing"),
    "hub_downloads_30d": ("hub_as_of_date", "hub_downloads_30d_missing"),
    "hub_downloads_all_time": ("hub_as_of_date", "hub_downloads_all_time_missing"),
    "hub_likes": ("hub_as_of_date", "hub_likes_missing"),
    "hub_share_publisher": ("hub_as_of_date", "hub_share_publisher_missing"),
    "hub_share_base": ("hub_as_of_date", "hub_share_base_missing"),
    "arena_rank_ordinal": ("arena_publish_date", "arena_missing"),
    "n_notable_models": ("notable_vintage_date", "notable_missing"),
    "n_notable_models_12m": ("notable_vintage_date", "notable_missing"),
    "open_weights_share": ("notable_vintage_date", "open_weights_missing"),
}


def lab(row: dict[str, Any], data: dict[str, Any], t: Words, said: ClaimTexts) -> Page:
    """Country, figures with their dates and doubt, models, and statements about them."""
    name = t.lab(row["lab_id"], row["lab_name"])
    country = t.country(row["country_code"], row["country_name"])
    by_id = {claim["id"]: claim for claim in data["claims"]["entries"]}
    measures = [_measure(row, column, t) for column in COUNTS]
    shown = [m for m in measures if m["value"] != MISSING][:4]
    return Page(
        template="lab.html",
        stem=f"labs/{row['lab_id']}",
        title=t("lab.title", lab=name, country=country),
        description=f"{name} ({country}). "
        + "; ".join(f"{m['name']}: {m['value']}" for m in shown),
        values={
            "row": row,
            "name": name,
            "country": country,
            "measures": measures,
            "claims": [by_id[one] for one in row["claims"] if one in by_id],
            "said": said,
        },
    )


def _measure(row: dict[str, Any], column: str, t: Words) -> dict[str, str]:
    """Name, value, day and doubt of one figure; without a value, the reason."""
    day, missing = COUNTS[column]
    value = row[column]
    if value is None:
        return {"name": t(f"measure.{column}"), "value": MISSING, "day": t.day(row[day]),
                "doubt": t(f"missing.{row[missing]}") if row[missing] else ""}  # fmt: skip
    return {"name": t(f"measure.{column}"), "value": _shown(column, value, t),
            "day": t.day(row[day]), "doubt": _doubt(row, column, t)}  # fmt: skip


def _shown(column: str, value: float, t: Words) -> str:
    if column == "open_weights_share":
        return f"{100 * value:.0f}%"
    return t.percent(value) if "share" in column else t.integer(int(value))


def _doubt(row: dict[str, Any], column: str, t: Words) -> str:
    """How much of what the figure counts is examined, or what exactly it counts."""
    if column == "hub_share_publisher":
        return t("doubt.examined", share=t.percent(row["hub_coverage_publisher"]))
    if column == "hub_share_base":
        lineage = t.percent(row["hub_lineage_coverage_base"])
        examined = t.percent(row["hub_coverage_base"])
        return t("doubt.lineage", lineage=lineage, share=examined)
    if column == "arena_rank_ordinal":
        board, model = t.of("board", row["arena_board"]), row["arena_model"]
        return t("doubt.board", board=board, model=model)
    if column == "open_weights_share":
        return t("doubt.access", n=t.integer(row["n_access_known"]))
    return ""
