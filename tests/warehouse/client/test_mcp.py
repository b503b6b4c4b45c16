"""`observatory mcp`, asked by the protocol's own client over standard input and output."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters

COMMAND = [sys.executable, "-m", "flows.cli", "mcp"]


class Asked:
    """A running server, asked from code that is not asynchronous."""

    def __init__(self, client: Client, portal: BlockingPortal) -> None:
        self._client, self._portal = client, portal

    def tools(self) -> dict[str, Any]:
        return {tool.name: tool for tool in self._portal.call(self._client.list_tools).tools}

    def call(self, name: str, **values: Any) -> Any:
        """What a tool answers. Raises ValueError with its error."""
        done = self._portal.call(self._client.call_tool, name, values)
        text = "".join(getattr(part, "text", "") for part in done.content)
        if done.is_error:
            raise ValueError(text)
        found = done.structured_content
        return found.get("result", found) if isinstance(found, dict) else json.loads(text)


@pytest.fixture(scope="module")
def place(sampled: tuple[Path, str]) -> Path:
    return sampled[0] / "published"


@pytest.fixture(scope="module")
def asked(place: Path) -> Iterator[Asked]:
    command = StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:], str(place)])
    with start_blocking_portal() as portal:
        client = Client(command)
        with portal.wrap_async_context_manager(client):
            yield Asked(client, portal)


def by_hand(place: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(place / "latest/observatory.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()


def test_the_tools_say_what_they_do(asked: Asked) -> None:
    tools = asked.tools()
    assert set(tools) == {"tables", "columns", "query", "share", "claim", "claims"}
    assert all(len(tool.description) > 30 for tool in tools.values())


def test_tables_and_columns_have_their_meaning(asked: Asked, place: Path) -> None:
    tables = asked.call("tables")
    assert tables[0]["name"].startswith("mart.")
    assert all(table["description"] for table in tables)
    found = {t["name"] for t in asked.call("tables", search="trending")}
    assert "mart.trending_share_daily" in found
    columns = asked.call("columns", table="mart.labs")
    names = by_hand(place, "SELECT column_name FROM duckdb_columns() WHERE table_name = 'labs'"
                           " AND schema_name = 'mart' ORDER BY column_index")  # fmt: skip
    assert [c["name"] for c in columns] == [name for (name,) in names]


def test_a_share_has_its_doubt_definition_and_trace(asked: Asked, place: Path) -> None:
    said = asked.call("share", countries=["CN"])
    (row,) = said["shares"]
    wanted = by_hand(
        place,
        """SELECT share, share_lower, share_upper, panel_id
        FROM latest.country_share_daily WHERE country_code = 'CN' AND population = 'all'
        AND metric = 'downloads_30d' AND attribution = 'publisher' AND credit = 'fractional'""",
    )
    assert [(row["share"], row["share_lower"], row["share_upper"], row["panel_id"])] == wanted
    assert said["release"] in {p.name for p in (place / "releases").iterdir()}
    assert row["trace"].startswith("observatory trace mart.country_share_daily as_of_date=2026-")
    assert row["trace"].endswith("country_code=CN")


def test_a_statement_has_its_verdict(asked: Asked) -> None:
    found = asked.call("claims", search="kimi", verdict="reproduced")
    assert "kimi-k15" in {row["claim_id"] for row in found}
    moments = asked.call("claim", claim_id="kimi-k15")
    assert {row["moment"] for row in moments} == {"stated", "newest"}


def test_a_query_is_answered_as_by_hand(asked: Asked, place: Path) -> None:
    query = "SELECT board, count(*) AS n FROM mart.arena_leaders GROUP BY ALL ORDER BY ALL"
    found = asked.call("query", sql=query)
    assert [tuple(row) for row in found["rows"]] == by_hand(place, query)
    assert asked.call("query", sql="SELECT 'nan'::DOUBLE AS x")["rows"] == [[None]]


@pytest.mark.parametrize(
    ("tool", "values", "said"),
    [
        ("query", {"sql": "FROM read_text('/etc/passwd')"}, "disabled by configuration"),
        ("query", {"sql": "DROP VIEW mart.labs"}, "only one SELECT statement"),
        ("columns", {"table": "mart.lab"}, "did you mean mart.labs"),
        ("claim", {"claim_id": "kimi"}, "did you mean kimi"),
        ("share", {"countries": ["CN"], "metric": "downloads"}, "did you mean downloads_30d"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(
    asked: Asked, tool: str, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as failed:
        asked.call(tool, **values)
    assert "Traceback" not in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_place_without_a_release_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "latest.json" in done.stderr


def test_without_the_extra_one_line_says_what_to_install(place: Path, tmp_path: Path) -> None:
    (tmp_path / "mcp.py").write_text("raise ModuleNotFoundError('No module', name='mcp')\n")
    code = "import sys; sys.path.insert(0, sys.argv[1]); from observatory import mcp_server; "
    done = subprocess.run(
        [sys.executable, "-c", f"{code} sys.exit(mcp_server.main([sys.argv[2]]))", tmp_path, place],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (
        "error: `observatory mcp` needs mcp: pip install 'origin-observatory[mcp]'\n"
    )
