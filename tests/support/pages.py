"""Releases with a page, for the tests of the page: the sample and changed copies of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb

from flows.steps.publish import add_page
from warehouse.code_version import code_version
from warehouse.releases.manifest import MANIFEST, Audience, Manifest, parse_manifest
from warehouse.releases.stage import DATABASE, stage_release
from warehouse.site.build import write_page
from warehouse.site.i18n import FILES

HOSTILE = "</script><img src=x onerror=\"window.hacked='yes'\">'\"&\u2028{{ 7*7 }}"
PAGES = sorted(FILES.values())
# What the pages of a release consist of, by the beginning of the path.
OWN = ("index.", "embed.", "models.", "labs", "claims/", "page/", "feed.", "sitemap.", "robots.")


def staged(
    warehouse: Path, folder: Path, audience: Audience = "internal", *changes: str
) -> Manifest:
    """The warehouse, changed by SQL in a copy, as a release in `folder`; without Data Docs."""
    copy = folder.with_suffix(".duckdb")
    shutil.copyfile(warehouse, copy)
    with duckdb.connect(str(copy)) as con:
        for change in changes:
            con.execute(change)
        as_of, is_sample = con.execute("SELECT as_of, is_sample FROM meta.build").fetchall()[0]
    about = {"as_of": as_of, "code": code_version(), "sample": is_sample}
    return add_page(folder, stage_release(copy, folder, audience=audience, **about))


def paged(release: Path, folder: Path, *changes: str, public_url: str | None = None) -> Path:
    """A new page for a copy of a release's DuckDB file that SQL statements have changed.

    Changes to `meta.snapshots` are copied to the manifest, as staging does. Nothing else is staged.
    """
    folder.mkdir()
    shutil.copyfile(release / DATABASE, folder / DATABASE)
    query = "FROM meta.snapshots SELECT source, producer, citation"
    with duckdb.connect(str(folder / DATABASE)) as con:
        before = con.execute(query).fetchall()
        for change in changes:
            con.execute(change)
        changed = [row for row in con.execute(query).fetchall() if row not in before]
    manifest = parse_manifest((release / MANIFEST).read_bytes(), str(release))
    updates = {source: {"producer": p, "citation": c} for source, p, c in changed}
    sources = tuple(s.model_copy(update=updates.get(s.source)) for s in manifest.sources)
    files = tuple(f for f in manifest.files if not f.path.startswith(OWN))
    changed_manifest = manifest.model_copy(update={"sources": sources, "files": files})
    write_page(folder, changed_manifest, public_url=public_url)
    return folder


def page_files(folder: Path) -> dict[str, str]:
    """The text of every file of the pages except the libraries and the picture."""
    found = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    other = (".min.js", ".png")
    return {
        name: path.read_text(encoding="utf-8")
        for name, path in found.items()
        if name.startswith(OWN) and not name.endswith(other)
    }


def emptied(warehouse: Path) -> list[str]:
    """SQL that empties every mart."""
    with duckdb.connect(str(warehouse), read_only=True) as con:
        query = "FROM duckdb_tables() SELECT table_name WHERE schema_name = 'mart'"
        return [f"DELETE FROM mart.{name}" for (name,) in con.execute(query).fetchall()]


def hostile_names() -> Sequence[str]:
    """SQL that replaces names from sources with markup."""
    name = "'" + HOSTILE.replace("'", "''") + "'"
    return [
        f"UPDATE mart.lab_share_daily SET lab_name = {name} || lab_id",
        f"UPDATE mart.family_share_daily SET family_name = {name} || family_id",
        f"UPDATE mart.arena_leaders SET best_model = {name}, best_open_model = {name}",
        f"UPDATE mart.arena_lab_leaders SET best_model = {name}, lab_name = {name}",
        f"UPDATE mart.models SET model = {name} || model, model_name = {name}, lab_name = {name},"
        f" family_name = {name}, license = {name}",
        f"UPDATE mart.labs SET lab_name = {name}, hub_namespaces = {name}, arena_model = {name}",
        f"UPDATE mart.claims SET statement = {name}, quote = {name}, publisher = {name}",
        f"UPDATE meta.validation_results SET outcome = 'failed', description = {name}"
        " WHERE severity = 'warning'",
        f"UPDATE meta.snapshots SET citation = {name}, producer = {name}",
        f"INSERT INTO raw.quarantine SELECT snapshot_id, snapshot_date, {name}, {name}, 1, {name},"
        " NULL, 'record', NULL FROM meta.snapshots LIMIT 1",
    ]
