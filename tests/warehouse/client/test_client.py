"""`import observatory`: a release over HTTP, from a folder and from S3, for analysts."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import observatory
import pandas as pd
import pytest

from tests.conftest import DAY, ROOT

PIPELINE = ("prefect", "great_expectations", "typer", "huggingface_hub", "sqlalchemy", "jinja2")


class Server:
    """A published place over HTTP, with what was sent."""

    def __init__(self, url: str) -> None:
        self.url, self.n_bytes = url, 0
        self.sent: list[str] = []


@pytest.fixture
def place(sampled: tuple[Path, str]) -> Path:
    return sampled[0] / "published"


@pytest.fixture
def server(place: Path) -> Iterator[Server]:
    class Handler(SimpleHTTPRequestHandler):
        def copyfile(self, source: Any, outputfile: Any) -> None:
            data = source.read()
            found.sent.append(self.path)
            found.n_bytes += len(data)
            outputfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(place))) as http:
        found = Server(f"http://127.0.0.1:{http.server_port}")
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield found
        http.shutdown()


def by_hand(place: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(place / "latest/observatory.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()


def test_the_first_answer_over_http_takes_less_than_a_megabyte(
    server: Server, place: Path, tmp_path: Path
) -> None:
    with observatory.open(server.url, cache=tmp_path) as release:
        found = release.share(["CN", "US"], day="newest")
    assert server.n_bytes < 1_000_000
    assert [path.rsplit("/", 1)[1] for path in server.sent] == [
        "latest.json", "manifest.json", "mart.country_share_daily.parquet"
    ]  # fmt: skip
    assert found.select("country_code", "share", "share_lower", "share_upper").rows() == by_hand(
        place,
        """SELECT country_code, share, share_lower, share_upper FROM mart.country_share_daily
        WHERE population = 'all' AND metric = 'downloads_30d' AND attribution = 'publisher'
        AND credit = 'fractional' AND country_code IN ('CN', 'US') AND as_of_date = '2026-08-15'
        ORDER BY share DESC""",
    )


def test_a_table_is_downloaded_once_for_all_sessions(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        with observatory.open(server.url, cache=tmp_path) as release:
            release.claim()
            release.sql("SELECT count(*) FROM mart.claims")
    assert sum(path.endswith(".parquet") for path in server.sent) == 1


def test_every_question_gives_the_rows_of_the_duckdb_file(place: Path) -> None:
    with observatory.open(place) as release:
        assert release.as_of == DAY
        assert release.id in repr(release)
        assert set(release.tables()["name"]) == {
            name for (name,) in by_hand(
                place,
                """SELECT schema_name || '.' || table_name FROM duckdb_tables()
                WHERE schema_name IN ('raw', 'core', 'mart')""",
            )
        }  # fmt: skip
        assert release.tables()["name"][0].startswith("mart.")
        assert "share_lower" in release.columns("mart.country_share_daily")["name"]
        assert release.claim("open-top5-four-cn").rows() == by_hand(
            place,
            "FROM mart.claims WHERE claim_id = 'open-top5-four-cn' ORDER BY moment DESC",
        )
        joined = "SELECT count(*) FROM core.hub_models AS m JOIN mart.claims AS c ON true"
        assert release.sql(joined).rows() == by_hand(place, joined)
        assert release.path("mart.claims").is_relative_to(place)  # not copied from a folder
        assert release.database().name == "observatory.duckdb"


def test_results_are_pandas_frames_if_wanted(place: Path) -> None:
    with observatory.open(place, frames="pandas") as release:
        assert isinstance(release.tables(), pd.DataFrame)
        assert isinstance(release.share("CN"), pd.DataFrame)


@pytest.mark.parametrize(
    ("ask", "error", "text"),
    [
        (lambda r: r.share(metric="downloads"), ValueError, "did you mean downloads_30d?"),
        (lambda r: r.share("XY"), ValueError, "no country_code 'XY'"),
        (lambda r: r.claim("open-top5-for-cn"), ValueError, "open-top5-four-cn"),
        (lambda r: r.path("mart.claim"), observatory.PlaceError, "did you mean mart.claims"),
        (lambda r: r.sql("FROM meta.build"), observatory.PlaceError, "release.database()"),
        (lambda r: r.sql("FROM mart.nothing"), observatory.PlaceError, "no table 'mart.nothing'"),
    ],
)
def test_a_wrong_name_is_explained(
    ask: Callable[[observatory.Release], object], error: type[Exception], text: str, place: Path
) -> None:
    with observatory.open(place) as release, pytest.raises(error, match=re.escape(text)):
        ask(release)


@pytest.mark.parametrize(
    ("address", "options", "text"),
    [
        ("{url}/latest", {}, "HTTP 404; give the address of the folder that has latest.json"),
        ("http://127.0.0.1:9", {}, "cannot be reached"),
        ("/nowhere", {}, "does not exist"),
        ("s3:/bucket", {}, "neither a folder nor an address"),
        ("{url}", {"release": "../../etc"}, "is not a release id"),
        ("{url}", {"release": "2026-01-01-0123456789ab"}, "HTTP 404"),
    ],
)
def test_a_wrong_address_is_explained(
    address: str, options: dict[str, str], text: str, server: Server
) -> None:
    with pytest.raises(observatory.PlaceError) as caught:
        observatory.open(address.format(url=server.url), **options)
    assert text in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"x", lambda d: d[:-1] + b"x"])
def test_changed_bytes_are_refused_and_not_cached(
    change: Callable[[bytes], bytes], place: Path, tmp_path: Path
) -> None:
    release_id = observatory.open(place).id
    fake = tmp_path / "place" / "releases" / release_id
    fake.mkdir(parents=True)
    for name in ("manifest.json", "mart.claims.parquet"):
        data = (place / "releases" / release_id / name).read_bytes()
        (fake / name).write_bytes(change(data) if name.endswith("parquet") else data)
    (tmp_path / "place/latest.json").write_bytes((place / "latest.json").read_bytes())
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "place"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        for address in (f"http://127.0.0.1:{http.server_port}", str(tmp_path / "place")):
            release = observatory.open(address, cache=tmp_path / "cache")
            with pytest.raises(observatory.PlaceError, match="manifest names"):
                release.claim()
        http.shutdown()
    assert not [p for p in tmp_path.glob("cache/**/*") if p.is_file()]


def test_a_changed_manifest_is_refused(place: Path, tmp_path: Path) -> None:
    release_id = observatory.open(place).id
    fake = tmp_path / "releases" / release_id
    fake.mkdir(parents=True)
    data = (place / "releases" / release_id / "manifest.json").read_bytes()
    (fake / "manifest.json").write_bytes(data.replace(b"mart.claims", b"mart.Claims"))
    (tmp_path / "latest.json").write_bytes((place / "latest.json").read_bytes())
    with pytest.raises(observatory.PlaceError, match="not the manifest that the pointer names"):
        observatory.open(tmp_path)


@pytest.mark.slow
def test_the_wheel_needs_neither_prefect_nor_great_expectations(
    server: Server, tmp_path: Path
) -> None:
    """Built from the checkout, imported elsewhere, with the pipeline's libraries hidden."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True)
    wheel = next(tmp_path.glob("*.whl"))
    target = tmp_path / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), wheel], check=True)
    code = f"""
import sys
for name in {PIPELINE}:
    sys.modules[name] = None
import observatory
assert observatory.__file__.startswith({str(target)!r}), observatory.__file__
with observatory.open({server.url!r}, cache={str(tmp_path / "cache")!r}) as release:
    print(release.share("CN", day="newest").height)
from flows.cli.launch import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env={"PYTHONPATH": str(target), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "1", done.stderr
    assert done.returncode == 2
    assert "pip install 'origin-observatory[pipeline]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
