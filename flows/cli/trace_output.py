"""How `observatory trace` prints the chain behind one row."""

from __future__ import annotations

from typing import Any

from flows.cli.output import print_line, print_rows
from flows.reports.text import display, pairs

SNAPSHOT = ("snapshot_id", "retrieved_at", "license", "url", "sidecar_sha256")
COLUMNS_SHOWN = 8
WIDTH_SHOWN = 60


def print_trace(found: dict[str, Any]) -> None:
    """The row, what it was computed from, the source records, and the code that computed it."""
    print_line(f"{found['table']}: {found['description']}\n{pairs(found['key'])}")
    print_rows("", [_column(n, c) for n, c in found["columns"].items() if n not in found["key"]])
    for code, warning in found["warnings"].items():
        print_line(f"warning {code}: {warning['title']}. {warning['advice']}")
    if found["contributions"]:
        _print_contributions(found["contributions"])
    for upstream in found["behind"]:
        _print_upstream(upstream)
    print_line("\nRecords")
    for record in found["records"]:
        _print_record(record)
    print_line()
    print_rows("Snapshots", [{k: s[k] for k in SNAPSHOT} for s in found["snapshots"]])
    _print_code(found)


def _column(name: str, about: dict[str, Any]) -> dict[str, Any]:
    value = display(about["value"], name, about["unit"])
    return {"column": name, "value": value, "unit": about["unit"], "meaning": about["meaning"]}


def _print_contributions(found: dict[str, Any]) -> None:
    print_line(f"\n{found['definition']}\n{found['numerator']:,.1f} / {found['denominator']:,.1f}")
    result = "equal to the numerator" if found["agrees"] else "NOT equal: other code built the file"
    print_line(
        f"sum over {found['models']:,} models, recomputed: {found['summed_anew']:,.1f}, {result}"
    )
    print_rows("largest contributions", found["largest"])


def _print_upstream(table: dict[str, Any]) -> None:
    readers = ", ".join(table["read_by"])
    if table["rows"] is None:
        print_line(f"\n{table['table']}, read as a whole by {readers}")
    elif table["rows"]:
        print_line(f"\n{table['table']}, {table['rows']:,} rows, read by {readers}")
        print_rows("  " + "; ".join(table["found_by"]), _narrow(table["first"]))


def _narrow(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first columns that have values, shortened so that a row fits a screen."""
    names = [c for c in rows[0] if any(r[c] is not None for r in rows)][:COLUMNS_SHOWN]
    return [{name: _short(display(row[name], name)) for name in names} for row in rows]


def _short(text: str) -> str:
    return text if len(text) <= WIDTH_SHOWN else text[: WIDTH_SHOWN - 1] + "…"


def _print_record(record: dict[str, Any]) -> None:
    print_line(f"* {record['table']} ({pairs(record['key'])})")
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


def _print_code(found: dict[str, Any]) -> None:
    build, release = found["build"], found["release"]
    kind = "SAMPLE, " if build["is_sample"] else ""
    print_line(
        f"\nbuilt as of {build['as_of']} ({kind}code {build['code_version']}, "
        f"{build['code_digest'][:12]})"
        + ("" if found["is_this_code"] else "; the code has changed since, so the trace may differ")
    )
    if release:
        print_line(f"release {release['release_id']} ({release['audience']})")
