"""The steps from the archive to a published release, as one sequence of plain functions.

`wrap` decides how a step runs: as a plain function (tests, `observatory replay`) or as a Prefect
task (`flows.pipeline`).
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol, TypeVar

from expectations.docs import build_docs
from expectations.report import Report
from expectations.validate import validate_database
from flows.reports import alerts
from flows.reports.validation import log_outcome
from flows.settings import Settings
from flows.steps import build as steps
from flows.steps.hub_history import shared_with_releases
from flows.steps.publish import Published, add_docs, add_page, publish_to
from transforms.plan import plan
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import Snapshot
from warehouse.code_version import code_version
from warehouse.contracts.table import contracts
from warehouse.database.duckdb_file import build_path, open_read_only, remove_dead_builds, swap_in
from warehouse.releases.manifest import Audience, FileEntry, Manifest
from warehouse.releases.stage import stage_release

log = logging.getLogger("observatory.sequence")

Step = TypeVar("Step", bound=Callable[..., object])


class Wrap(Protocol):
    """Decides how a step runs."""

    def __call__(self, step: Step, /) -> Step:
        """The step, ready to be called."""


def plain(step: Step, /) -> Step:
    """Runs the step as a plain function."""
    return step


@dataclass(frozen=True)
class Built:
    """A warehouse file that passed every critical expectation."""

    warehouse: Path
    as_of: date
    snapshots: tuple[Snapshot, ...]
    report: Report


def build(
    settings: Settings,
    as_of: date,
    wrap: Wrap = plain,
    *,
    known_at: date = date.max,
    past_days: bool = True,
) -> Built:
    """Builds the warehouse file from the archive; replaces the old one only at the very end.

    Without `past_days` the shares of days that are no longer loaded are left out. Raises
    NothingToBuildError, ArchiveError, SourceError, ValidationError; the old warehouse then remains
    in place, and the failed build is stored next to it for inspection.
    """
    archive, clocks = Archive(settings.archive), steps.Clocks(as_of, known_at)
    snapshots = steps.chosen_snapshots(archive, settings.sources, as_of)
    remove_dead_builds(settings.warehouse)
    path, report = build_path(settings.warehouse), Report(())
    try:
        wrap(steps.load_raw)(path, archive, snapshots, settings.history)
        steps.write_excluded_snapshots(path, archive, snapshots, settings.sources, as_of)
        report += wrap(validate)(path, "raw")
        for layer in ("core", "mart", "meta"):
            if not report.failures("critical"):
                if layer == "mart" and past_days:
                    past_shares = wrap(steps.compute_past_shares)
                    past_shares(path, archive, snapshots, clocks, settings.history)
                wrap(steps.transform)(path, layer, clocks)
                report += wrap(validate)(path, layer)
        failed = bool(report.failures("critical"))
        docs = write_docs(_docs_folder(settings, "failed" if failed else "new"), [report], as_of)
        report.raise_for_critical()
        wrap(finish)(path, list(snapshots), report, clocks)
        alerts.save(settings.warehouse, path, settings.warehouse)
        swap_in(path, settings.warehouse)
        _replace_folder(docs, settings.docs)
    except BaseException:
        _store_failed(path, settings.warehouse)
        raise
    return Built(settings.warehouse, as_of, tuple(snapshots), report)


def validate(path: Path, layer: str) -> Report:
    """Runs every expectation on the tables of a layer that exist at this point."""
    later = {t for t in contracts() if t.startswith("meta.")} - {step.table for step in plan()}
    tables = [t for t in contracts() if t.startswith(f"{layer}.") and t not in later]
    report = validate_database(path, tables, layer)
    log_outcome(path, layer, report)
    return report


def finish(path: Path, snapshots: list[Snapshot], report: Report, clocks: steps.Clocks) -> None:
    """Writes lineage, validation results and what the file was built from."""
    steps.write_lineage(path)
    steps.write_results(path, report.to_frame())
    steps.write_build_info(path, snapshots, clocks)


def write_docs(folder: Path, reports: Iterable[Report], as_of: date) -> Path:
    """Writes the Data Docs of the run into a new folder and returns it."""
    shutil.rmtree(folder, ignore_errors=True)
    build_docs(list(reports), folder, as_of)
    return folder


def _docs_folder(settings: Settings, which: str) -> Path:
    """A folder next to the Data Docs: those of a failed build must not be published."""
    return settings.docs.with_name(f"{settings.docs.name}.{which}")


def _replace_folder(new: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    new.replace(folder)


def _store_failed(path: Path, warehouse: Path) -> None:
    path.with_name(path.name + ".wal").unlink(missing_ok=True)
    if path.exists():
        path.replace(warehouse.with_name(f"{warehouse.stem}.failed.duckdb"))


def publish(
    settings: Settings,
    targets: Iterable[str],
    audience: Audience = "internal",
    *,
    allow_shrink: bool = False,
    wrap: Wrap = plain,
) -> list[Published]:
    """Stages the warehouse file as a release once and publishes it to every target.

    Raises ReleaseError, StorageError, ValidationError; the target's `latest` is then unchanged.
    """
    publisher = settings.signature(audience)
    validated: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="observatory-release-") as scratch:
        folder = Path(scratch) / "release"
        manifest = stage(settings, folder, audience, wrap, with_history=True, validated=validated)
        return [
            wrap(publish_to)(t, folder, manifest, allow_shrink, publisher, validated)
            for t in targets
        ]


def stage(
    settings: Settings,
    folder: Path,
    audience: Audience = "internal",
    wrap: Wrap = plain,
    *,
    with_history: bool = False,
    validated: set[str] | None = None,
) -> Manifest:
    """Stages the warehouse file as a release in an empty folder, with Data Docs and page.

    `with_history` adds the history's files, which releases in one storage share. The digests of
    tables that pass validation here are added to `validated`. Raises ReleaseError.
    """
    as_of, is_sample = _about(settings.warehouse)
    documents = _documents(settings) if audience == "internal" else {}
    shared: list[tuple[FileEntry, Path]] = []
    if with_history:
        listed, shared = shared_with_releases(settings, as_of, audience)
        documents |= listed
    manifest = wrap(stage_release)(
        settings.warehouse,
        folder,
        audience=audience,
        as_of=as_of,
        code=code_version(),
        sample=is_sample,
        documents=documents,
        shared=shared,
    )
    if audience == "public":
        manifest = wrap(add_docs)(folder, manifest, validated)
    return wrap(add_page)(folder, manifest)


def _documents(settings: Settings) -> dict[str, Path | bytes]:
    """The Data Docs of the build, by their path in the release."""
    found = sorted(p for p in settings.docs.rglob("*") if p.is_file())
    return {f"validation/{p.relative_to(settings.docs).as_posix()}": p for p in found}


def _about(warehouse: Path) -> tuple[date, bool]:
    """as_of and is_sample of a warehouse file."""
    with open_read_only(warehouse) as con:
        as_of, is_sample = con.execute("SELECT as_of, is_sample FROM meta.build").fetchall()[0]
    return as_of, is_sample
