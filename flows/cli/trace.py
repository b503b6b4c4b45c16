"""`observatory why`: the chain behind one published number."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flows.cli import terminal
from flows.cli.terminal import (
    ArchiveDir,
    AsJson,
    WarehouseFile,
    guarded,
    print_json,
    print_rows,
    settings_given,
)
from flows.reports.sanitize import inert
from flows.settings import Settings

KEY = (
    "COLUMN=VALUE pairs that name one row; leave some out to be told what there is to choose from."
)


def why(
    table: Annotated[str, typer.Argument(help="Table, with or without its layer.")],
    key: Annotated[list[str] | None, typer.Argument(metavar="COLUMN=VALUE...", help=KEY)] = None,
    warehouse: WarehouseFile = None,
    archive: ArchiveDir = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows shown of each table.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Trace one row to its core rows, raw records, archive files and their bytes.

    --warehouse also takes the observatory.duckdb of a release. For a share it sums the models
    behind it anew and shows the largest.
    """
    with guarded(as_json):
        settings = Settings(**settings_given(archive, warehouse, None, None))
        from flows.tracing.answer import why as answer  # noqa: PLC0415

        told = answer(settings.warehouse, settings.archive, table, key or [], limit)
        if as_json:
            print_json(told)
        else:
            _print(told)


def print_line(text: str) -> None:
    """A line in which a name or record from outside stays inert."""
    terminal.print_line("\n".join(map(inert, text.split("\n"))))


def _print(told: dict[str, Any]) -> None:
    key = ", ".join(f"{c}={v}" for c, v in told["key"].items())
    print_line(f"{told['table']}: {told['description']}\n{key}")
    rows = [
        {"column": name, "value": c["value"], "unit": c["unit"], "meaning": c["meaning"]}
        for name, c in told["columns"].items()
        if name not in told["key"]
    ]
    print_rows("", rows)
    for code, warning in told["warnings"].items():
        print_line(f"warning {code}: {warning['title']}. {warning['advice']}")
    if told["contributions"]:
        _print_contributions(told["contributions"])
    for one in told["behind"]:
        _print_table(one)
    print_line("\nRecords")
    for record in told["records"]:
        _print_record(record)
    print_rows("\nSnapshots", [
        {k: s[k] for k in ("snapshot_id", "retrieved_at", "license", "url", "sidecar_sha256")}
        for s in told["snapshots"]
    ])  # fmt: skip
    _print_code(told)


def _print_contributions(found: dict[str, Any]) -> None:
    print_line(f"\n{found['definition']}\n{found['numerator']:,.1f} / {found['denominator']:,.1f}")
    same = "the same" if found["agrees"] else "NOT the numerator: another code made this file"
    print_line(f"summed anew over {found['models']:,} models: {found['summed_anew']:,.1f}, {same}")
    print_rows("largest contributions", found["largest"])


def _print_table(one: dict[str, Any]) -> None:
    reader = ", ".join(one["read_by"])
    if one["rows"] is None:
        print_line(f"\n{one['table']}, read as a whole by {reader}")
        return
    if one["rows"]:
        print_line(f"\n{one['table']}, {one['rows']:,} rows, read by {reader}")
        print_rows("  " + "; ".join(one["found_by"]), _narrow(one["first"]))


def _narrow(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first columns that are not null throughout, so that a line fits a screen."""
    kept = [c for c in rows[0] if any(r[c] is not None for r in rows)][:8]
    return [{c: _short(r[c]) for c in kept} for r in rows]


def _short(value: object) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _print_record(record: dict[str, Any]) -> None:
    key = ", ".join(f"{c}={v}" for c, v in record["key"].items())
    print_line(f"* {record['table']} ({key})")
    if record["path"]:
        inside = f" » {record['member']}" if record["member"] else ""
        print_line(f"    {record['path']}{inside}\n    sha256 {record['sha256']}")
    if record["url"]:
        print_line(f"    from {record['url']} at {record['retrieved_at']}")
    if record["record"]:
        print_line(
            f"    record {record['record']:,}, bytes {record['start']:,} to {record['end']:,} "
            f"({record['unit']})"
        )
    if record["text"]:
        print_line(f"    {record['text']}")
    if record["shown_by"]:
        print_line(f"    $ {record['shown_by']}")
    if record["note"]:
        print_line(f"    {record['note']}")


def _print_code(told: dict[str, Any]) -> None:
    build, release = told["build"], told["release"]
    print_line(
        f"\nbuilt as of {build['as_of']} by code {build['code_version']} ({build['code_digest']})"
        + ("" if told["is_this_code"] else "; THIS code is another, traces may differ")
        + (f"\nrelease {release['release_id']} ({release['audience']})" if release else "")
    )
