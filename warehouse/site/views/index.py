"""The main page in one language: sentences and rows of static tables."""

from __future__ import annotations

from typing import Any

from warehouse.releases.manifest import Manifest
from warehouse.releases.metadata import FILES as METADATA
from warehouse.releases.metadata.about import TITLE, credit
from warehouse.site.claim_texts import ClaimTexts
from warehouse.site.i18n import Words
from warehouse.site.render import Page
from warehouse.site.sections.shares import CHOICES
from warehouse.site.structured import dataset
from warehouse.site.views.claim import answer_of

BOARDS = ("text", "text_style_control", "webdev", "vision", "search_style_control")
# Downloads other than tables -> key of their description.
DOCUMENTS = {
    "observatory.duckdb": "database",
    "catalog.duckdb": "catalog",
    "dictionary.html": "dictionary",
    "validation/index.html": "validation",
    **dict.fromkeys(METADATA[:2], "description"),
    "CITATION.md": "citation",
}
CHANGES = 12  # changes of the leader in the table


def index(data: dict[str, Any], manifest: Manifest, t: Words, said: ClaimTexts) -> Page:
    """The main page: shares, rankings, statements, data health and downloads."""
    return Page(
        template="page.html",
        stem="index",
        title=f"{t('title')} · {t('tagline')}",
        description=_description(data, manifest, t),
        values={**view(data, manifest, t), "said": said, "answers": _answers(data, t, said)},
        structured=(dataset(manifest, t),),
    )


def view(data: dict[str, Any], manifest: Manifest, t: Words) -> dict[str, Any]:
    """Variables of the template: `d` = data, and prepared sentences."""
    key, _ = _default(data["shares"])
    kinds = {"country": key, "lab": key.rpartition("|")[0], "family": key.rpartition("|")[0]}
    return {
        "d": data,
        "choices": CHOICES,
        "countries": _countries(data["shares"], t),
        "now": {k: data["shares"][k].get(one, {}).get("now", []) for k, one in kinds.items()},
        "ranges": _ranges(data["shares"]),
        "lead": leading(data, t),
        "lead_definition": definition(data, t),
        "lead_panel": data_panel(data, t),
        "leader": _leader(data["arena"]["boards"], t),
        "changes": data["arena"]["changes"][:CHANGES],
        "unfinished": _unfinished(data["notable"], t),
        "verdicts": _verdicts(data["claims"], t),
        **_boards(data["arena"]["boards"]),
        "downloads": _downloads(manifest, t),
        "citation": _citation(manifest),
    }


def _answers(data: dict[str, Any], t: Words, said: ClaimTexts) -> dict[str, str]:
    """Statement -> the sentence that answers it."""
    return {e["id"]: answer_of(e["stated"], t, said) for e in data["claims"]["entries"]}


def _description(data: dict[str, Any], manifest: Manifest, t: Words) -> str:
    """One sentence with the largest two shares, for search engines and shared links."""
    two = leading(data, t)
    if len(two) < 2:
        return t("tagline")
    shares = {f"share{i}": t.percent(row["share"]) for i, row in enumerate(two, 1)}
    names = {f"country{i}": row["country"] for i, row in enumerate(two, 1)}
    metric = t.of("metric", data["shares"]["default"]["metric"])
    panel = data_panel(data, t)
    said = t("lead.sentence", metric=metric, day=t.day(manifest.as_of), **names, **shares)
    return f"{said} {panel}".rstrip()


def _countries(shares: dict[str, Any], t: Words) -> list[tuple[str, str]]:
    """Code and name of every country in the lists of the newest day, by name."""
    rows = (row for one in shares["country"].values() for row in one["now"])
    named = {row["id"]: t.country(row["id"], row["name"]) for row in rows}
    known = [(code, name) for code, name in named.items() if code not in ("ZZ", "XX")]
    return sorted(known, key=lambda one: (one[1], one[0]))


def _unfinished(notable: dict[str, Any], t: Words) -> dict[str, str]:
    """Source -> sentence about its year that is not over, if it has one."""
    if not notable:
        return {}
    newest = notable["years"][-1]
    return {
        source: t("notable.unfinished", year=newest, day=t.day(day))
        for source, day in notable["vintages"].items()
        if day.year <= newest
    }


def _default(shares: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    key = "|".join(shares["default"][c] for c in CHOICES)
    return key, shares["country"].get(key, {})


def _ranges(shares: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = shares["range"].get(shares["default"]["metric"], {})
    return found


def definition(data: dict[str, Any], t: Words) -> str:
    """The default definition of a share, its day and its number of models; empty without shares."""
    shares = data["shares"]
    found = _default(shares)[1]
    if not found:
        return ""
    default = shares["default"]
    names = {c: t.of(c, default[c]) for c in CHOICES}
    n = t.integer(found["n_models_population"])
    return t("definition", **names, day=t.day(shares["days"][-1]), n=n)


def data_panel(data: dict[str, Any], t: Words) -> str:
    """How much of the Hub the listing covers; empty for a complete sweep."""
    panel = data["shares"]["panel"]
    if panel.get("total") is None or panel["id"] == "whole_hub":
        return ""
    return t("definition.panel", n=t.integer(panel["models"]), total=t.integer(panel["total"]))


def leading(data: dict[str, Any], t: Words) -> list[dict[str, Any]]:
    """The two countries with the largest shares under the default definition, with bounds."""
    _, found = _default(data["shares"])
    rows = [row for row in found.get("now", []) if row["id"] not in ("ZZ", "XX")][:2]
    ranges = _ranges(data["shares"])
    return [
        {**r, "country": t.country(r["id"], r["name"]), "range": ranges.get(r["id"])} for r in rows
    ]


def _verdicts(claims: dict[str, Any], t: Words) -> str:
    if not claims["entries"]:
        return ""
    counts = {verdict: t.integer(n) for verdict, n in claims["counts"].items()}
    return t("claims.tally", n=t.integer(len(claims["entries"])), **counts)


def _leader(boards: dict[str, Any], t: Words) -> str:
    """The leader of the first board, its probability, and its win rate against the next country."""
    first = next(iter(_boards(boards)["boards"]), None)
    if first is None:
        return ""
    board = boards[f"{first}|overall"]
    best, *others = board["countries"]
    key = "lead.unsure" if best["first"] is None else "lead.first"
    sentence = t(
        key,
        board=t.of("board", first),
        day=t.day(board["day"]),
        model=best["model"],
        country=t.country(best["id"], best["name"]),
        probability=t.percent(best["first"]),
    )
    other = next((row for row in others if row["id"] not in ("ZZ", "XX")), None)
    if other is None:
        return sentence
    country = t.country(other["id"], other["name"])
    return f"{sentence} " + t(
        "lead.gap", country=country, model=other["model"], win=t.percent(other["win"])
    )


def _boards(found: dict[str, Any]) -> dict[str, list[str]]:
    """`boards` with an overall category and countries, main boards first; and `all_boards`."""
    every = {key.partition("|")[0] for key in found}
    overall = {b for b in every if found.get(f"{b}|overall", {}).get("countries")}

    def order(board: str) -> tuple[int, str]:
        return (BOARDS.index(board) if board in BOARDS else len(BOARDS), board)

    return {"boards": sorted(overall, key=order), "all_boards": sorted(every, key=order)}


def _downloads(manifest: Manifest, t: Words) -> list[dict[str, Any]]:
    """Every file of the release except the page: results first, then their inputs."""
    tables = [
        {
            "path": e.path,
            "about": e.description,
            "is_english": True,
            "is_result": e.name.startswith("mart."),
            "rows": e.rows,
            "bytes": e.bytes,
            "sha256": e.sha256,
        }
        for e in manifest.tables
    ]
    files = [
        {
            "path": e.path,
            "about": t(f"downloads.{DOCUMENTS[e.path]}"),
            "is_english": False,
            "is_result": True,
            "rows": None,
            "bytes": e.bytes,
            "sha256": e.sha256,
        }
        # The bytes of a DuckDB file differ between runs. Its size and digest are only in the
        # manifest, so that equal content gives equal pages.
        | ({"bytes": None, "sha256": None} if e.path.endswith(".duckdb") else {})
        for e in manifest.files
        if e.path in DOCUMENTS
    ]
    order = {"mart": 0, "core": 1, "raw": 2}
    tables.sort(key=lambda e: (order.get(str(e["path"]).split(".")[0], 3), e["path"]))
    return [*files, *tables]


def _citation(manifest: Manifest) -> dict[str, str]:
    """The citation of the release, as text and as BibTeX."""
    key = manifest.release_id.replace("-", "")
    until = f"data up to {manifest.as_of.isoformat()}"
    return {
        "text": credit(manifest),
        "bibtex": "\n".join(
            [
                f"@misc{{origin-observatory-{key},",
                f"  title   = {{{{{TITLE}}}}},",
                "  author  = {{The Origin Observatory developers}},",
                f"  year    = {{{manifest.as_of.year}}},",
                f"  version = {{{manifest.release_id}}},",
                f"  note    = {{{until[0].upper() + until[1:]}; sources in manifest.json}}",
                "}",
            ]
        ),
    }
