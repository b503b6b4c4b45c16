"""What a run may replace: our own files, and real observations only by real ones."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from flows.reports.status import is_sample
from flows.settings import Settings
from flows.steps import data_docs
from flows.steps.build import NothingToBuildError, chosen_snapshots
from flows.steps.publish import NOTHING, Allowed, check_places
from warehouse.archive.archive import Archive
from warehouse.database.build_files import require_own
from warehouse.database.duckdb_file import WarehouseError
from warehouse.releases.manifest import Audience


def require_own_places(
    settings: Settings, as_of: date, audience: Audience, allowed: Allowed = NOTHING
) -> None:
    """Raises what is known before a build: files of somebody else, a later or a real release.

    Raises WarehouseError, DataDocsError, ReleaseError.
    """
    sample = require_replaceable(settings, as_of, allowed)
    check_places(settings.publish_to, as_of, audience, allowed, sample=sample)


def require_replaceable(settings: Settings, as_of: date, allowed: Allowed) -> bool:
    """Raises WarehouseError or DataDocsError if the build may not replace what is there.

    Returns whether a build of that day would read the sample.
    """
    require_own(settings.warehouse)
    for folder in (settings.docs, failed_docs(settings)):
        data_docs.listed(folder)
    sample = _is_of_sample(settings, as_of)
    real = settings.warehouse.exists() and not is_sample(settings.warehouse)
    if sample and real and not allowed.sample:
        raise WarehouseError(
            f"{settings.warehouse} has real observations, and {settings.archive} has the sample; "
            "nothing was built: use another --warehouse, or --allow-sample to replace it"
        )
    return sample


def failed_docs(settings: Settings) -> Path:
    """A folder next to the Data Docs: those of a failed build must not be published."""
    return settings.docs.with_name(f"{settings.docs.name}.failed")


def _is_of_sample(settings: Settings, as_of: date) -> bool:
    """Whether a build of that day would read the sample; False if there is nothing to build yet."""
    try:
        found = chosen_snapshots(Archive(settings.archive), settings.archived_sources, as_of)
    except NothingToBuildError:
        return False
    return any(s.is_sample for s in found)
