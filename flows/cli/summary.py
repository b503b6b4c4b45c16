"""The end of a run: the headline tables, where the release is, and what to do next."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

from flows import defaults
from flows.cli import lazy
from flows.cli.output import out, print_json, print_line, print_rows, print_table
from flows.reports.text import size

if TYPE_CHECKING:
    from flows.settings import Settings


def print_summary(settings: Settings, published: list[dict[str, Any]], *, as_json: bool) -> None:
    """The headline of a warehouse, the releases made from it, and next steps."""
    found = print_headline(settings, published, as_json=as_json)
    if as_json:
        return
    print_published(published, as_json=False)
    print_line(
        f"\nwarehouse    {settings.warehouse}   duckdb {settings.warehouse} "
        '-c "from mart.country_share_daily limit 5"\n'
        f"validation   {settings.docs / 'index.html'}"
    )
    print_line("\nNext steps")
    for command, what in next_steps(settings, found):
        print_line(f"  {command}\n      {what}")


def print_headline(
    settings: Settings, published: list[dict[str, Any]], *, as_json: bool
) -> dict[str, Any]:
    """The headline tables of a warehouse. Returns them."""
    found = lazy.headline.headline(settings.warehouse)
    if as_json:
        print_json({**found, "published": published, "warehouse": settings.warehouse})
        return found
    if banner := lazy.headline.sample_banner(found):
        out.print(banner, style="bold yellow")
    print_rows("snapshots used", found["read"])
    if found["refused"]:
        print_rows("rejected records, kept in raw.quarantine", found["refused"])
    for title, header, cells in lazy.headline.tables(found):
        print_line()
        print_table(title, header, cells)
    return found


def print_published(published: list[dict[str, Any]], *, as_json: bool) -> None:
    """The release in each published place."""
    if as_json:
        print_json({"published": published})
        return
    for p in published:
        sent = "was there already, reused" if p["is_reused"] else size(p["uploaded_bytes"])
        omitted = f"{p['n_left_out']} omitted for their license"
        print_line(
            f"\nrelease      {p['release_id']} ({p['audience']}, {p['n_tables']} tables, "
            f"{omitted}; {sent})\n"
            f"             {p['url']}/latest.json\n"
            f"             {p['url']}/latest/index.html"
        )


def next_steps(settings: Settings, found: dict[str, Any]) -> list[tuple[str, str]]:
    """Commands that work on this warehouse, with what each of them shows."""
    command, place = program(), ""
    if settings.warehouse != defaults.WAREHOUSE:
        place = f" --warehouse {settings.warehouse}"
    steps = [
        (f"{command} tables mart.country_share_daily{place}", "what each column means"),
        (f"{command} claims{place}", "published statements and what the data say about them"),
    ]
    if rows := found["country_share_daily"]:
        columns = ("as_of_date", "population", "attribution", "credit", "country_code")
        key = " ".join(f"{c}={rows[0][c]}" for c in columns)
        traced = f"trace mart.country_share_daily metric=downloads_30d {key}"
        steps.insert(0, (f"{command} {traced}{place}", "the records behind one share"))
    return steps


def program() -> str:
    """This program as it can be called again in the same shell."""
    called = Path(sys.argv[0])
    if called.name != "observatory":
        return "python -m flows.cli"
    return "observatory" if which("observatory") == str(called) else str(called)
