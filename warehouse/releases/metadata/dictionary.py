"""The data dictionary: descriptions of every table and column, as Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from warehouse.contracts.usage_warnings import UsageWarning, warnings
from warehouse.releases.manifest import ColumnEntry, Manifest, TableEntry
from warehouse.releases.metadata.about import TITLE, about_table, credit

COLUMNS = ("column", "type", "unit", "may be null", "meaning")
READING = (
    "Each table is one Parquet file, and all tables are in observatory.duckdb. Columns are flat "
    "and of seven types; dates are days in UTC, timestamps are in UTC without a zone. Null means "
    "not recorded or not applicable, never 0. Rows are sorted by the key."
)
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}"
    "th,td{border:1px solid #ccc;padding:.3rem .5rem;text-align:left;vertical-align:top}"
    "code{font-size:.95em}h2{margin-top:2.5rem}"
)


def dictionary_markdown(manifest: Manifest) -> str:
    """The dictionary in Markdown; cells are escaped."""
    parts = [f"# Data dictionary\n\n{credit(manifest)}\n\n{READING}"]
    parts.append(_table(("table", "rows", "content"), _contents(manifest)))
    parts.append("## Usage warnings")
    parts += [
        f"### {code}\n\n**{w.title}.** {w.what}\n\n*What to do:* {w.advice}"
        for code, w in _used(manifest)
    ]
    for table in manifest.tables:
        parts.append(f"## {table.name}\n\n{about_table(table)} Rows: {table.rows:,}.")
        parts.append("\n".join(f"* {name}: {text}" for name, text in _facts(table)))
        parts.append(_table(COLUMNS, map(_cells, table.columns)))
    return "\n\n".join(parts) + "\n"


def dictionary_html(manifest: Manifest) -> str:
    """The dictionary as one self-contained page."""
    parts = [f"<h1>Data dictionary</h1><p>{escape(credit(manifest))}</p><p>{READING}</p>"]
    linked = [(_link(name), rows, escape(about)) for name, rows, about in _contents(manifest)]
    parts.append(_html_table(("table", "rows", "content"), linked))
    parts.append("<h2>Usage warnings</h2>")
    parts += [
        f"<h3 id='{code}'>{code}</h3><p><b>{escape(w.title)}.</b> {escape(w.what)}</p>"
        f"<p><i>What to do:</i> {escape(w.advice)}</p>"
        for code, w in _used(manifest)
    ]
    for table in manifest.tables:
        name = escape(table.name)
        parts.append(f"<h2 id='{name}'>{name}</h2><p>{escape(about_table(table))}</p><ul>")
        parts += [f"<li>{n}: {_linked(n, text)}</li>" for n, text in _facts(table)]
        cells = (list(map(escape, _cells(column))) for column in table.columns)
        parts.append("</ul>" + _html_table(COLUMNS, cells))
    head = f"<meta charset='utf-8'><title>{escape(TITLE)}</title><style>{STYLE}</style>"
    return (
        f"<!doctype html><html lang='en'><head>{head}</head>\n" + "\n".join(parts) + "\n</html>\n"
    )


def _contents(manifest: Manifest) -> list[tuple[str, str, str]]:
    return [(t.name, f"{t.rows:,}", t.description) for t in manifest.tables]


def _used(manifest: Manifest) -> list[tuple[str, UsageWarning]]:
    """Code and explanation of every warning on a table of this release."""
    used = {code for table in manifest.tables for code in table.warnings}
    return [(code, about) for code, about in warnings().items() if code in used]


def _facts(table: TableEntry) -> list[tuple[str, str]]:
    facts = [("file", table.path), ("key", ", ".join(table.key))]
    if table.warnings:
        facts.append(("usage warnings", ", ".join(table.warnings)))
    return [*facts, ("licenses", "; ".join(f"{x.source}: {x.raw}" for x in table.licenses))]


def _cells(column: ColumnEntry) -> Sequence[str]:
    null = "yes" if column.nullable else "no"
    return column.name, column.type, column.unit or "", null, column.description


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _html_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are already HTML."""
    top = "".join(f"<th>{name}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>\n{body}</tbody></table>"


def _link(name: str) -> str:
    return f"<a href='#{escape(name)}'>{escape(name)}</a>"


def _linked(fact: str, text: str) -> str:
    return ", ".join(map(_link, text.split(", "))) if fact == "usage warnings" else escape(text)
