"""The headline tables that a run prints at its end, computed from the warehouse file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.reports.query import Rows, rows_of
from flows.reports.text import percent, printable, probability
from warehouse.database.duckdb_file import open_read_only

SHARES = """
SELECT as_of_date, population, attribution, credit, country_code, country_name,
    share, share_lower, share_upper, lineage_coverage, share_missing, n_models, n_models_population,
    panel_id, panel_models, hub_models_total, panel_share_of_models
FROM mart.country_share_daily
WHERE as_of_date = (SELECT max(as_of_date) FROM mart.country_share_daily)
  AND population IN ('all', 'llm_vlm') AND credit = 'fractional' AND metric = 'downloads_30d'
  AND country_code IN (SELECT country_code FROM (
      SELECT country_code, max(share) AS top FROM mart.country_share_daily
      WHERE as_of_date = (SELECT max(as_of_date) FROM mart.country_share_daily)
        AND credit = 'fractional' AND metric = 'downloads_30d'
      GROUP BY ALL ORDER BY top DESC, country_code LIMIT 5))
ORDER BY population, attribution, share DESC, country_code
"""
LEADERS = """
SELECT board, category, publish_date, country_code, country_name, best_model, best_rank_ordinal,
    rating, gap_to_leader, expected_win_rate_of_leader, probability_first, n_top10, n_top20
FROM mart.arena_leaders
WHERE board = 'text' AND category = 'overall' AND publish_date = (
    SELECT max(publish_date) FROM mart.arena_leaders WHERE board = 'text' AND category = 'overall')
ORDER BY best_rank_ordinal, best_model LIMIT 5
"""
NOTABLE = """
SELECT source, year, country_code, country_name, n_models FROM mart.notable_models_by_country
WHERE country_code IN ('US', 'CN', 'GB', 'FR', 'KR') AND source <> 'epoch_registry'
  AND year > (SELECT max(year) FROM mart.notable_models_by_country) - 4
ORDER BY source, year, n_models DESC, country_code
"""
READ = """
SELECT s.source, count(*) AS snapshots, max(s.snapshot_date) AS newest, sum(s.rows_seen) AS records
FROM meta.snapshots AS s GROUP BY ALL ORDER BY ALL
"""
VERDICTS = """
SELECT verdict, count(*) FILTER (moment = 'stated') AS of_its_day,
    count(*) FILTER (moment = 'newest') AS said_today
FROM mart.claims GROUP BY verdict ORDER BY list_position(
    ['reproduced', 'differs_by_definition', 'contradicted', 'not_testable'], verdict)
"""
ABOUT = "SELECT as_of, code_version, code_digest, is_sample FROM meta.build"
REFUSED = (
    "SELECT table_name, reason, count(*) AS records FROM raw.quarantine GROUP BY ALL ORDER BY ALL"
)


def headline(warehouse: Path) -> dict[str, Any]:
    """The input snapshots and the headline tables, as plain values ready for JSON."""
    with open_read_only(warehouse) as con:
        return {
            "about": rows_of(con, ABOUT)[0],
            "read": rows_of(con, READ),
            "refused": rows_of(con, REFUSED),
            "country_share_daily": rows_of(con, SHARES),
            "arena_leaders": rows_of(con, LEADERS),
            "notable_models_by_country": rows_of(con, NOTABLE),
            "claims": rows_of(con, VERDICTS),
        }


DEFINITION = (
    "Share of 30-day downloads on the Hugging Face Hub, {n} observed on {day}, fractional credit. "
    "ZZ: examined, not attributable to one country. XX: not examined yet. In brackets: the bounds "
    "if none or all of ZZ and XX belonged to the country."
)


def shares_table(rows: Rows) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and cells: one row per country, one column per population and attribution."""
    cuts = sorted({(r["population"], r["attribution"]) for r in rows})
    by = {(r["country_code"], r["population"], r["attribution"]): r for r in rows}
    countries = list(dict.fromkeys(r["country_code"] for r in rows))
    cells = [[c, *(_share(by.get((c, *cut))) for cut in cuts)] for c in countries]
    first = next((r for r in rows if r["population"] == "all"), None)
    title = (
        DEFINITION.format(n=_observed(first), day=first["as_of_date"])
        if first
        else "No Hub snapshot up to this date."
    )
    title += _lineage(rows)
    return title, ["country", *(f"{p}, by {a}" for p, a in cuts)], cells


def _observed(row: dict[str, Any]) -> str:
    """The number of models; of how many, if the sweep did not cover the whole Hub."""
    n = row["n_models_population"]
    if row["panel_id"] == "whole_hub" or row["hub_models_total"] is None:
        return f"{n:,} models"
    total = row["hub_models_total"]
    about = f"{total / 1e6:.2f} million" if total >= 10**6 else f"{total:,}"
    return f"{n:,} of about {about} models"


def _lineage(rows: Rows) -> str:
    """The part of the downloads whose lineage is recorded, for the shares by base."""
    known = {r["population"]: r["lineage_coverage"] for r in rows if r["attribution"] == "base"}
    parts = [f"{percent(part)} ({name})" for name, part in sorted(known.items())]
    return f" Lineage is recorded for {', '.join(parts)} of the downloads." if parts else ""


def _share(row: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    if row["share"] is None:
        return "lineage not recorded"
    return (
        f"{percent(row['share'])} ({100 * row['share_lower']:.1f}–{100 * row['share_upper']:.1f})"
    )


def leaders_table(rows: Rows) -> tuple[str, list[str], list[list[str]]]:
    """Best model of each country on the newest raw text board."""
    day = rows[0]["publish_date"] if rows else "no board"
    title = (
        f"Leaders of LMArena text, overall, not style-controlled, board of {day}, by country. "
        "Leader wins: how often the first model would win against this one. Holds #1: probability "
        "that one of the country's models is truly the best, with independent ratings."
    )
    header = ["country", "best model", "rank", "rating", "behind", "leader wins", "holds #1"]
    header += ["in top 10", "in top 20"]
    cells = [
        [
            r["country_code"],
            r["best_model"],
            str(r["best_rank_ordinal"]),
            f"{r['rating']:.0f}",
            f"{r['gap_to_leader']:.0f}",
            percent(r["expected_win_rate_of_leader"]),
            probability(r["probability_first"]),
            str(r["n_top10"]),
            str(r["n_top20"]),
        ]
        for r in rows
    ]
    return title, header, cells


def notable_table(rows: Rows) -> tuple[str, list[str], list[list[str]]]:
    """Notable models by source and country, one column per year."""
    years = sorted({r["year"] for r in rows})
    by = {(r["source"], r["country_code"], r["year"]): r["n_models"] for r in rows}
    lines = sorted({(r["source"], r["country_code"]) for r in rows})
    cells = [[s, c, *(str(by.get((s, c, y), "–")) for y in years)] for s, c in lines]
    title = (
        "Notable AI models by country and year. Each counts once for every distinct country of its "
        "organizations; editions are never merged."
    )
    return title, ["source", "country", *map(str, years)], cells


def claims_table(rows: Rows) -> tuple[str, list[str], list[list[str]]]:
    """The number of published statements by verdict."""
    title = (
        "Published statements tested against the data, with the data of their own date and with "
        "today's (`observatory claims` lists them)."
    )
    cells = [[r["verdict"], str(r["of_its_day"]), str(r["said_today"])] for r in rows]
    return title, ["verdict", "when published", "today"], cells


def tables(summary: dict[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """The headline tables, for the terminal and for Prefect's artifacts alike."""
    return [
        shares_table(summary["country_share_daily"]),
        leaders_table(summary["arena_leaders"]),
        notable_table(summary["notable_models_by_country"]),
        claims_table(summary["claims"]),
    ]


def sample_banner(summary: dict[str, Any]) -> str | None:
    """A warning line if the warehouse was built from the sample."""
    about = summary["about"]
    if not about["is_sample"]:
        return None
    return f"SAMPLE of public figures as of {about['as_of']}: a selection, not the whole Hub."


def markdown(summary: dict[str, Any]) -> str:
    """The headline as Markdown."""
    parts = [sample_banner(summary) or f"As of {summary['about']['as_of']}."]
    for title, header, cells in tables(summary):
        lines = [header, ["---"] * len(header), *cells]
        parts.append(
            "\n".join([title, "", *("| " + " | ".join(map(cell, c)) + " |" for c in lines)])
        )
    return "\n\n".join(parts)


def cell(text: str) -> str:
    """A name from outside that cannot break the table or become markup."""
    text = printable(" ".join(text.split())).replace("\\", "\\\\").replace("|", "\\|")
    return text.replace("<", "&lt;").replace("[", "\\[").replace("`", "\\`")
