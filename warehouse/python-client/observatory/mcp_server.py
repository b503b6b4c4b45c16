"""`observatory mcp`: read-only questions to a release, over the Model Context Protocol.

The server speaks on standard input and output. It opens one release and answers from it: tables,
definitions, shares with their doubt, statements with their verdicts, and bounded SQL.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import duckdb
import polars as pl

from observatory.bounded import Limits, RefusedQueryError, ask
from observatory.places import PlaceError
from observatory.release import Release, open
from warehouse.publishing.pointer import Channel

MISSING = "error: `observatory mcp` needs mcp: pip install 'origin-observatory[mcp]'"
RULES = (
    "Answers come from release {id}, with data up to {as_of}{sample}. A number is true only "
    "under its definition: say population, metric, attribution, credit and day beside it, give "
    "share_lower and share_upper beside share, and name the release. An empty value is unknown, "
    "never 0; its *_missing column says why. Codes: ZZ = no single country, XX = not examined."
)


class Questions:
    """The tools. Each method's docstring is what the model reads of it."""

    def __init__(self, release: Release, limits: Limits) -> None:
        self._release, self._limits = release, limits

    def tables(self, search: str = "") -> list[dict[str, Any]]:
        """Tables with rows, grain and description, results (mart) first; `search` filters them."""
        rows = self._release.tables().drop("bytes").to_dicts()
        wanted = search.lower()
        return [row for row in rows if wanted in f"{row['name']} {row['description']}".lower()]

    def columns(self, table: str) -> list[dict[str, Any]]:
        """Name, type, unit and meaning of every column of a table, such as mart.labs."""
        return _records(self._release.columns(table))

    def query(self, sql: str) -> dict[str, Any]:
        """Rows of one SELECT in DuckDB's SQL. Tables have names such as mart.claims, core.labs."""
        answer = ask(self._release, sql, self._limits)
        more = {"note": "There are more rows; ask for fewer."} if answer.is_cut else {}
        return {"columns": answer.columns, "rows": json.loads(_text(answer.rows)), **more}

    def share(
        self,
        countries: list[str],
        day: str = "newest",
        population: str = "all",
        metric: str = "downloads_30d",
        attribution: str = "publisher",
        credit: str = "fractional",
    ) -> dict[str, Any]:
        """Shares of countries (codes such as CN, US) with bounds, panel, coverage and their trace.

        An empty list of countries gives all of them. `day` is a date or "newest".
        """
        chosen = {"population": population, "metric": metric, "attribution": attribution,
                  "credit": credit}  # fmt: skip
        rows = _records(self._release.share(countries, day=day, **chosen))
        for row in rows[: self._limits.rows]:
            keys = {"as_of_date": row["as_of_date"], **chosen, "country_code": row["country_code"]}
            said = " ".join(f"{name}={value}" for name, value in keys.items())
            row["trace"] = f"observatory trace mart.country_share_daily {said}"
        return {"release": self._release.id, "shares": rows[: self._limits.rows]}

    def claim(self, claim_id: str) -> list[dict[str, Any]]:
        """One published statement: source, test, verdict and reason, on its date and today."""
        return _records(self._release.claim(claim_id))

    def claims(self, search: str = "", verdict: str = "") -> list[dict[str, Any]]:
        """Published statements with their verdicts for their own date; both arguments filter."""
        wanted = search.lower()
        shown = ("claim_id", "statement", "publisher", "published_on", "verdict", "recomputed_text")
        rows = _records(self._release.claim().filter(moment="stated").select(shown))
        return [
            row
            for row in rows
            if wanted in f"{row['claim_id']} {row['statement']} {row['publisher']}".lower()
            and verdict in ("", row["verdict"])
        ]


def serve(address: str, channel: Channel = "latest", release: str | None = None) -> None:
    """Answers until standard input ends. Raises PlaceError, ModuleNotFoundError without `mcp`."""
    from mcp.server.mcpserver import MCPServer  # noqa: PLC0415  an extra

    with open(address, channel=channel, release=release) as opened:
        sample = ", a SAMPLE, not the whole Hub" if opened.manifest.is_sample else ""
        server = MCPServer(
            "origin-observatory",
            title="Origin Observatory",
            instructions=RULES.format(id=opened.id, as_of=opened.as_of, sample=sample),
            version=opened.id,
            log_level="WARNING",
        )
        questions = Questions(opened, Limits())
        for name in ("tables", "columns", "query", "share", "claim", "claims"):
            method = getattr(questions, name)
            server.tool(name, description=method.__doc__)(_told(method))
        server.run()


def _told(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, with errors that a person can cause as one line."""
    from mcp.server.mcpserver.exceptions import ToolError  # noqa: PLC0415

    @wraps(method)
    def answered(*args: Any, **values: Any) -> Any:  # noqa: ANN401
        try:
            return method(*args, **values)
        except (RefusedQueryError, PlaceError, ValueError, duckdb.Error) as error:
            raise ToolError(" ".join(str(error).split())) from error

    return answered


def _records(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON values."""
    return json.loads(_text(frame.to_dicts()))  # type: ignore[no-any-return]


def _text(value: object) -> str:
    """JSON; dates and decimals as text, NaN as null."""
    return json.dumps(_plain(value), default=str, ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, float) and math.isnan(value):  # is no JSON
        return None
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def main(arguments: list[str] | None = None) -> int:
    """`observatory mcp ADDRESS` where only the client is installed. Returns the exit code."""
    parser = argparse.ArgumentParser("observatory mcp", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("address", help="https://…, s3://bucket/prefix, or a folder")
    parser.add_argument("--channel", choices=("latest", "stable"), default="latest")
    parser.add_argument("--release", help="id of an older release")
    given = parser.parse_args(arguments)
    return run(given.address, given.channel, given.release)


def run(address: str, channel: Channel, release: str | None) -> int:
    """`serve`, with errors as one line on standard error."""
    try:
        serve(address, channel, release)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        print(MISSING, file=sys.stderr)
        return 2
    except PlaceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0
