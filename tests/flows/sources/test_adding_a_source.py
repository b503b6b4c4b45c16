"""The source that docs/adding-a-source.md adds needs no other change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.support.markdown import blocks, pages
from warehouse.code_version import PACKAGES

PAGE = "docs/adding-a-source.md"
BLOCKS = {
    language: [b.code for b in blocks(PAGE, pages()[PAGE]) if b.language == language]
    for language in ("yaml", "python")
}
(CARD, KEY, CONTRACT), (MODULE,) = BLOCKS["yaml"], BLOCKS["python"]
SCRIPT = """
import json, pathlib
from datetime import date
from flows.settings import ALL_SOURCES, DEFAULT_SOURCES, Settings
from flows.steps.build import load_raw
from flows.steps.observe import observe
from infra.deployments import deployment_names
from warehouse.archive.archive import Archive
from warehouse.contracts.source import sources_table
from warehouse.database.duckdb_file import open_read_only

folder = pathlib.Path("data")
observe("toy", Settings(archive=folder / "archive", sources="toy"), date(2026, 8, 15))
archive = Archive(folder / "archive")
load_raw(folder / "built.duckdb", archive, archive.snapshots("toy"))
with open_read_only(folder / "built.duckdb") as con:
    toys = con.execute("SELECT toy FROM raw.toys").fetchall()
print(json.dumps({
    "settings": "toy" in DEFAULT_SOURCES, "order": ALL_SOURCES.index("toy"), "toys": toys,
    "deployments": deployment_names(), "docs": "| `toy` |" in sources_table(),
}))
"""


# Asks a loopback server for a page of the source, with and without the key.
KEYED_SCRIPT = """
import json, os, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from flows.environment import OTHER_VARIABLES, prepare_environment
from flows.settings import DEFAULT_SOURCES, Settings
from flows.sources.http import SourceError, get
from infra.deployments import prefect_file
from infra.server_settings import PLAIN, SECRETS
from warehouse.storage.redact import redact

prepare_environment()
sent = []

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        sent.append(self.headers["Authorization"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

def asked(settings, host):
    try:
        get("toy", f"{host}/list", settings)
    except SourceError as error:
        return str(error).splitlines()[0]
    return sent.pop()

server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
here, other = (f"http://{host}:{server.server_port}" for host in ("127.0.0.1", "localhost"))
settings = Settings(toy_url=f"{here}/")
of_toy = lambda known: [
    len(d["schedules"]) for d in prefect_file(known)["deployments"] if d["name"] == "toy"]
print(json.dumps({
    "default": "toy" in DEFAULT_SOURCES, "used": "toy" in settings.sources,
    "own default": Settings().address("toy"), "address": settings.address("toy") == here,
    "here": asked(settings, here), "other": asked(settings, other),
    "documented": "TOYS_API_KEY" in [name for name, *_ in OTHER_VARIABLES],
    "stored": ["TOYS_API_KEY" in SECRETS, "OBSERVATORY_TOY_URL" in PLAIN],
    "hidden": redact("MarkedKey of the toys"),
    "schedules": [of_toy([]), of_toy(["TOYS_API_KEY"]), of_toy(None)],
}))
"""


def test_a_source_is_added_by_its_card_module_and_contract_alone(tmp_path: Path) -> None:
    """Settings, help, deployments, parsers and the table for the docs follow from the card."""
    add_toy(tmp_path, CARD)
    found = json.loads(python(tmp_path, "-c", SCRIPT).splitlines()[-1])
    assert found.pop("deployments").count("observe-source/toy") == 1
    assert found == {"settings": True, "order": 11, "toys": [["ball"]], "docs": True}
    assert "toy" in python(tmp_path, "-m", "flows.cli", "run", "--help")


def test_address_and_key_of_a_source_follow_from_its_card(tmp_path: Path) -> None:
    """Two fields of the card: the setting, the header, the secret, the schedule, the default."""
    add_toy(tmp_path, CARD + KEY)
    without = json.loads(python(tmp_path, "-c", KEYED_SCRIPT).splitlines()[-1])
    (tmp_path / ".env").write_text("TOYS_API_KEY=MarkedKey\n")
    with_key = json.loads(python(tmp_path, "-c", KEYED_SCRIPT).splitlines()[-1])
    same = {
        "default": False, "own default": "https://api.example.org", "address": True,
        "documented": True, "stored": [True, True], "schedules": [[0], [1], [1]],
    }  # fmt: skip
    refused = "toy: the source requires a token"
    hidden = "MarkedKey of the toys"
    assert without == {**same, "used": False, "here": refused, "other": refused, "hidden": hidden}
    assert with_key == {
        **same, "used": True, "here": "Bearer MarkedKey", "other": None, "hidden": "… of the toys",
    }  # fmt: skip


def add_toy(tmp_path: Path, card: str) -> None:
    """A copy of the packages with the source of the page."""
    for package in (*PACKAGES, "infra"):
        ignored = shutil.ignore_patterns("__pycache__", "sample", "node_modules")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored, dirs_exist_ok=True)
    (tmp_path / "warehouse/contracts/sources/toy.yml").write_text(card)
    (tmp_path / "warehouse/contracts/tables/raw/toys.yml").write_text(CONTRACT)
    (tmp_path / "flows/sources/toy.py").write_text(MODULE)


def python(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
