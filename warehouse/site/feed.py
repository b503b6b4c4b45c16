"""The feeds of changes, the site map, and the file for robots."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from warehouse.releases.manifest import Manifest
from warehouse.site.address import Address, file_of
from warehouse.site.claim_texts import ClaimTexts
from warehouse.site.i18n import LANGUAGES, Words, words
from warehouse.site.render import write_xml

# RFC 4151: an id of an entry that stays the same wherever the release is published.
TAG = "tag:origin-observatory,2026"
LISTED = 60


class Entry(NamedTuple):
    """One change: an id, the day, a sentence, and the page with more."""

    id: str
    day: date
    title: str
    text: str
    page: str


def write_feeds(folder: Path, data: dict[str, Any], manifest: Manifest, address: Address) -> None:
    """Writes `feed.xml` per language; with a public address also `sitemap.xml`, `robots.txt`."""
    for language in LANGUAGES:
        t = words(language)
        changes = [*_leaders(data, t), *_verdicts(data, t)]
        entries = sorted(changes, key=lambda e: (-e.day.toordinal(), e.id))[:LISTED]
        write_xml(
            folder / feed_of(language), "feed.xml", t=t, m=manifest, entries=entries, tag=TAG,
            language=language, address=address, file_of=file_of, feed=feed_of(language),
        )  # fmt: skip
    if address.public_url:
        stems = sorted(_stems(data))
        values = {"stems": stems, "address": address, "day": manifest.as_of}
        write_xml(folder / "sitemap.xml", "sitemap.xml", **values)
        lines = ["User-agent: *", "Allow: /", f"Sitemap: {address.of('sitemap.xml')}", ""]
        (folder / "robots.txt").write_text("\n".join(lines), encoding="utf-8")


def feed_of(language: str) -> str:
    """`feed.xml`, `feed.hi.xml`."""
    return file_of("feed", language).replace(".html", ".xml")


def _stems(data: dict[str, Any]) -> Iterator[str]:
    yield from ("index", "models", "labs")
    yield from (f"labs/{lab['lab_id']}" for lab in data["labs"])
    yield from (f"claims/{claim['id']}" for claim in data["claims"]["entries"])


def _leaders(data: dict[str, Any], t: Words) -> Iterator[Entry]:
    """Confirmed changes of the leading lab or country on the boards."""
    for c in data["arena"]["changes"]:
        key = "country" if c["level"] == "country" else "lab"
        names = {"holder": c["holder_name"], "previous": c["previous_holder_name"]}
        ids = {"holder": c["holder"], "previous": c["previous_holder"]}
        name = t.country if key == "country" else t.lab
        said = {who: name(ids[who], names[who]) for who in names}
        board = t.of("board", c["board"])
        which = "feed.leader" if c["previous_holder"] else "feed.first_leader"
        yield Entry(
            f"leader/{c['board']}/{c['level']}/{c['confirmed_date']}",
            c["confirmed_date"],
            t(which, board=board, level=t(f"kind.{c['level']}"), **said),
            t("feed.leader.about", model=c["best_model"], day=t.day(c["confirmed_date"])),
            "index",
        )


def _verdicts(data: dict[str, Any], t: Words) -> Iterator[Entry]:
    """Statements that today's data decides otherwise than that of their own date."""
    said = ClaimTexts(t)
    for claim in data["claims"]["entries"]:
        then, now = claim["stated"], claim.get("newest")
        if now is None or now["verdict"] in ("not_testable", then["verdict"]):
            continue
        verdicts = {"then": t(f"verdict.{then['verdict']}"), "now": t(f"verdict.{now['verdict']}")}
        yield Entry(
            f"verdict/{claim['id']}/{now['verdict']}",
            now["observed_on"],
            t("feed.verdict", statement=said.statement(then)),
            t("feed.verdict.about", **verdicts),
            f"claims/{claim['id']}",
        )
