"""The steps from the archive to a published release, as one sequence of plain functions.

`wrap` decides how a step runs: as a plain function (tests, `observatory replay`) or as a Prefect
task (`flows.pipeline`).
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol, TypeVar

from expectations.docs import build_docs
from expectations.report import Report, ValidationError
from expectations.validate import validate_database
from flows.reports import alerts
from flows.reports.validation import log_outcome
from flows.settings import Settings
from flows.steps import build as steps
from flows.steps import data_docs
from flows.steps.hub_history import shared_with_releases
from flows.steps.own_disk import own_disk_as
from flows.steps.own_places import failed_docs, require_replaceable
from flows.steps.publish import (
    NOTHING,
    Allowed,
    Published,
    add_docs,
    add_page,
    prove,
    publish_to,
)
from transforms.plan import plan
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import Snapshot
from warehouse.code_version import code_version
from warehouse.contracts.table import contracts
from warehouse.database.build_files import (
    build_path,
    move,
    remove_dead_builds,
    swap_in,
)
from warehouse.database.duckdb_file import open_built, open_read_only, real_path, remove
from warehouse.database.lock import alone, unchanged
from warehouse.database.own_disk import DiskError
from warehouse.releases.manifest import (
    PUBLIC_URL,
    Audience,
    FileEntry,
    Manifest,
    ReleaseError,
)
from warehouse.releases.stage import stage_release
from warehouse.storage.scratch import scratch_folder

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


@own_disk_as(DiskError)
def build(
    settings: Settings,
    as_of: date,
    wrap: Wrap = plain,
    *,
    known_at: date = date.max,
    past_days: bool = True,
    allowed: Allowed = NOTHING,
) -> Built:
    """Builds the warehouse file from the archive; replaces the old one only at the very end.

    Without `past_days` the shares of days that are no longer loaded are left out. Raises
    NothingToBuildError, ArchiveError, SourceError, ValidationError, and WarehouseError if the
    sample would replace real observations; the old warehouse then remains in place, and a build
    that failed validation is stored next to it for inspection.
    """
    require_replaceable(settings, as_of, allowed)
    require_snapshots(settings, as_of)
    with alone(settings.warehouse):
        return _build(settings, steps.Clocks(as_of, known_at), wrap, past_days)


def require_snapshots(settings: Settings, as_of: date) -> None:
    """Raises NothingToBuildError before anything is written."""
    steps.chosen_snapshots(Archive(settings.archive), settings.archived_sources, as_of)


def _build(settings: Settings, clocks: steps.Clocks, wrap: Wrap, past_days: bool) -> Built:
    archive = Archive(settings.archive)
    snapshots = steps.chosen_snapshots(archive, settings.archived_sources, clocks.as_of)
    remove_dead_builds(settings.warehouse)
    path, report = build_path(settings.warehouse), Report(())
    atexit.register(_end_build, path, settings.warehouse, keep=False)  # Ctrl-C ends at once
    try:
        wrap(steps.load_raw)(path, archive, snapshots, settings.history)
        steps.write_excluded_snapshots(
            path, archive, snapshots, settings.archived_sources, clocks.as_of
        )
        report += wrap(validate)(path, "raw")
        for layer in ("core", "mart", "meta"):
            if not report.failures("critical"):
                if layer == "mart" and past_days:
                    past_shares = wrap(steps.compute_past_shares)
                    past_shares(path, archive, snapshots, clocks, settings.history)
                wrap(steps.transform)(path, layer, clocks)
                report += wrap(validate)(path, layer)
        _finish_and_swap(settings, path, snapshots, report, clocks, wrap)
    except BaseException as error:
        _end_build(path, settings.warehouse, keep=isinstance(error, ValidationError))
        raise
    return Built(settings.warehouse, clocks.as_of, tuple(snapshots), report)


def _finish_and_swap(
    settings: Settings,
    path: Path,
    snapshots: list[Snapshot],
    report: Report,
    clocks: steps.Clocks,
    wrap: Wrap,
) -> None:
    """Replaces warehouse and Data Docs; those of a failed build are stored beside them."""
    with scratch_folder("docs") as scratch:
        new = scratch / "docs"
        build_docs([report], new, clocks.as_of)
        if report.failures("critical"):
            data_docs.replace(new, failed_docs(settings), "failed")
        report.raise_for_critical()
        wrap(finish)(path, list(snapshots), report, clocks)
        alerts.save(settings.warehouse, path, settings.warehouse)
        with open_built(path) as con:
            results = data_docs.results_digest(con)
        swap_in(path, settings.warehouse)
        data_docs.replace(new, settings.docs, results)


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


def _end_build(path: Path, warehouse: Path, *, keep: bool) -> None:
    """Keeps a build that failed validation for inspection, and no other: it may fill the disk."""
    if keep and path.exists():
        move(path, path.with_name(f"{real_path(warehouse).stem}.failed.duckdb"))
    remove(path)


@own_disk_as(ReleaseError)
def publish(
    settings: Settings,
    targets: Iterable[str],
    audience: Audience = "internal",
    *,
    allowed: Allowed = NOTHING,
    wrap: Wrap = plain,
    just_built: bool = False,
) -> list[Published]:
    """Stages the warehouse file as a release once and publishes it to every target.

    Unless this run has `just_built` the warehouse, its tables are validated again.
    Raises ReleaseError, StorageError, ValidationError; the target's `latest` is then unchanged.
    """
    publisher = settings.signature(audience)
    proved: set[str] = set()
    with scratch_folder("release") as scratch:
        folder = scratch / "release"
        manifest = stage(
            settings,
            folder,
            audience,
            wrap,
            with_history=True,
            proved=proved,
            just_built=just_built,
        )
        return [wrap(publish_to)(t, folder, manifest, allowed, publisher, proved) for t in targets]


@own_disk_as(ReleaseError)
def stage(
    settings: Settings,
    folder: Path,
    audience: Audience = "internal",
    wrap: Wrap = plain,
    *,
    with_history: bool = False,
    proved: set[str] | None = None,
    just_built: bool = False,
) -> Manifest:
    """Stages the warehouse file as a release in an empty folder, with Data Docs and page.

    `with_history` adds the history's files, which releases in one storage share. The digest of the
    DuckDB file is added to `proved`. Raises ReleaseError, ValidationError.
    """
    _about(settings.warehouse)  # nothing is locked beside a file that is no warehouse
    with unchanged(settings.warehouse):
        manifest = _stage(settings, folder, audience, wrap, with_history)
    report = wrap(prove)(folder, manifest, proved, just_built=just_built)
    if audience == "public":
        manifest = wrap(add_docs)(folder, manifest, report)
    return wrap(add_page)(folder, manifest)


def _stage(
    settings: Settings, folder: Path, audience: Audience, wrap: Wrap, with_history: bool
) -> Manifest:
    as_of, is_sample = _about(settings.warehouse)
    documents = _documents(settings) if audience == "internal" else {}
    shared: list[tuple[FileEntry, Path]] = []
    if with_history:
        listed, shared = shared_with_releases(settings, as_of, audience)
        documents |= listed
    return wrap(stage_release)(
        settings.warehouse,
        folder,
        audience=audience,
        as_of=as_of,
        code=made_by(settings),
        sample=is_sample,
        documents=documents,
        shared=shared,
    )


def made_by(settings: Settings) -> dict[str, str]:
    """The code of a release, and the address that its pages state, if they do."""
    address = {PUBLIC_URL: settings.public_url} if settings.public_url else {}
    return code_version() | address


def _documents(settings: Settings) -> dict[str, Path | bytes]:
    """The Data Docs of the build, by their path in the release."""
    with open_read_only(settings.warehouse) as con:
        results = data_docs.results_digest(con)
    found = data_docs.files(settings.docs, results)
    return {f"validation/{name}": path for name, path in sorted(found.items())}


def _about(warehouse: Path) -> tuple[date, bool]:
    """as_of and is_sample of a warehouse file."""
    with open_read_only(warehouse) as con:
        as_of, is_sample = con.execute("SELECT as_of, is_sample FROM meta.build").fetchall()[0]
    return as_of, is_sample
