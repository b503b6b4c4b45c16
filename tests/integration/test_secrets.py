"""No secret is in what a run leaves, wherever the secret was and whatever a server answered."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
import zstandard

from tests.conftest import ROOT
from tests.standin import Answer, Call, StandIn
from warehouse.contracts.table import quote as quoted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SOURCES = "hub_trending,arena_catalog,epoch"
MARK = "Marked{}Secret/of+the%test"
TOKENS = {
    "HF_TOKEN": "hf_MarkedTokenSecretOfTheTest",
    "GITHUB_TOKEN": "ghp_MarkedGitHubSecretOfTheTest",
    "AWS_ACCESS_KEY_ID": "AKIAMARKEDSECRET2345",
    "AWS_SECRET_ACCESS_KEY": "MarkedAwsSecretOfTheTest/+abc",
    "AWS_SESSION_TOKEN": "MarkedSessionSecretOfTheTest==",
}
REDIRECT = "MarkedRedirectSecretOfTheTest"
PLACES = ("HF", "API", "RAW", "EPOCH", "INDEX", "PROXY", "S3", "QUERY", "UNKNOWN", "ALERT")
PASSWORDS = {place: MARK.format(place) for place in PLACES}


class Telltale(StandIn):
    """Answers as the sources do, or with errors that repeat what was sent and add secrets."""

    fails = False

    def answer(self, call: Call) -> Answer:
        sent = f"{call.headers.get('authorization')} {call.target}".encode()
        if call.segments[:1] == ("echo",):
            return Answer(403, sent, {})
        if not self.fails:
            return super().answer(call)
        if call.segments == ("api", "trending"):
            there = f"{self.url}/echo?token={REDIRECT}&X-Amz-Signature={REDIRECT}"
            return Answer(302, b"", {"Location": there})
        if call.segments[:2] == ("github", "api"):
            there = self.url.replace("://", f"://me:{REDIRECT}@")
            return Answer(302, b"", {"Location": f"{there}/echo"})
        return Answer(418, sent, {"X-Error-Code": sent.decode("latin-1")})


@pytest.fixture(scope="module")
def told(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with all that a failed run, a good one and failed uploads left."""
    folder = tmp_path_factory.mktemp("secrets")
    world = folder.with_name(f"{folder.name}-world")  # the recordings are not ours to search
    for part in ("epoch", "hub/trending", "lmarena/arena-catalog"):
        (world / part).parent.mkdir(parents=True, exist_ok=True)
        (world / part).symlink_to(recordings / part)
    for name in ("work", "home", "tmp"):
        (folder / name).mkdir()
    with Telltale(world) as server:
        env = _environment(server, folder)
        server.fails = True
        _call(folder, env, 3, "run", "--sources", SOURCES)
        server.fails = False
        assert _call(folder, env, 0, "run", "--sources", SOURCES)
        _call(folder, env, 6, "publish", "--publish-to", "s3://bucket/x")
        _call(folder, env, 2, "publish", "--publish-to", f"s3://{TOKENS['AWS_ACCESS_KEY_ID']}:"
              f"{TOKENS['AWS_SECRET_ACCESS_KEY']}@bucket")  # fmt: skip
        _call(folder, env | {"OBSERVATORY_EPOCH_URL": f"h:{PASSWORDS['EPOCH']}@x"}, 2, "status")
        _call(folder, env | {"HTTP_TIMEOUT": "x", "OBSERVATORY_HTTP_TIMEOUT_SECONDS":
              PASSWORDS["EPOCH"]}, 2, "run")  # fmt: skip
    yield folder


def _environment(server: StandIn, folder: Path) -> dict[str, str]:
    host = server.url.removeprefix("http://")

    def address(place: str, path: str = "", query: str = "") -> str:
        return f"http://me:{quote(PASSWORDS[place], safe='')}@{host}{path}{query}"

    secret = quote(PASSWORDS["QUERY"], safe="")
    unknown = quote(PASSWORDS["UNKNOWN"], safe="")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return clean | TOKENS | {
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PREFECT_HOME": str(folder / "prefect"),
        "HF_ENDPOINT": address("HF"),
        "OBSERVATORY_GITHUB_API_URL": address("API", "/github/api"),
        "OBSERVATORY_GITHUB_RAW_URL": address("RAW", "/github/raw"),
        "OBSERVATORY_EPOCH_URL": address("EPOCH", "", f"?api_key={secret}&k={unknown}"),
        "OBSERVATORY_AI_INDEX_URL": address("INDEX", "/x/{edition}.zip", f"?sig={secret}"),
        "OBSERVATORY_ALERT_URL": address("ALERT", "/alert", f"?token={secret}"),
        "OBSERVATORY_HTTP_FIRST_WAIT_SECONDS": "0.01",
        "AWS_ENDPOINT_URL_S3": f"http://me:{quote(PASSWORDS['S3'], safe='')}@127.0.0.1:9",
        "HTTPS_PROXY": f"http://me:{quote(PASSWORDS['PROXY'], safe='')}@127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
    }  # fmt: skip


def _call(folder: Path, env: dict[str, str], code: int, *arguments: str) -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=folder / "work", env=env, capture_output=True, check=False,
    )  # fmt: skip
    number = len(list(folder.glob("said-*")))
    (folder / f"said-{number}.txt").write_bytes(done.stdout + done.stderr)
    assert done.returncode == code, (done.stdout + done.stderr).decode()[-3000:]
    return True


def forms(secret: str) -> set[bytes]:
    """A secret as it is, percent-encoded, and in a Basic header."""
    pair = base64.b64encode(f"me:{secret}".encode())
    return {secret.encode(), quote(secret).encode(), quote(secret, safe="").encode(), pair}


ANY = "akiamarked|marked[a-z0-9]*secret"
ALL = {**TOKENS, **PASSWORDS, "REDIRECT": REDIRECT}


def test_no_secret_is_in_any_file(told: Path) -> None:
    files = [p for p in told.rglob("*") if p.is_file() and not p.is_symlink()]
    names = {p.name for p in files}
    assert {"prefect.db", "observatory.duckdb", "manifest.json", "snapshot.json"} <= names
    found = set()
    for path in files:
        data = path.read_bytes()
        if path.suffix == ".zst":
            data = zstandard.ZstdDecompressor().stream_reader(data).read()
        for name, secret in ALL.items():
            if any(form in data for form in forms(secret)):
                found.add((name, path.relative_to(told).as_posix()))
    assert found == set()


def test_no_secret_is_in_any_row(told: Path) -> None:
    """Files of DuckDB and Parquet are compressed, so their rows are searched too."""
    found = [path for ending in ("", ".unpublished") for path in told.rglob(f"*.duckdb{ending}")]
    assert {path.suffix for path in found} == {".duckdb", ".unpublished"}
    for database in found:
        with duckdb.connect(str(database), read_only=True) as con:
            tables = con.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
            for table in (".".join(map(quoted, names)) for names in tables):
                rows = f"SELECT lower(t::VARCHAR) AS row FROM {table} AS t"
                query = f"SELECT row FROM ({rows}) WHERE regexp_matches(row, ?)"
                assert con.execute(query, [ANY]).fetchall() == [], table


def test_the_errors_still_say_where(told: Path) -> None:
    said = (told / "said-0.txt").read_text("utf-8")
    for where in ("/api/trending", "/github/api/repos", "/data/"):
        assert where in said
    assert "HTTP 403" in said and "HTTP 418" in said
