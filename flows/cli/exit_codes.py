"""Which exit code an error gets, for scripts."""

from __future__ import annotations

import duckdb
from pydantic import ValidationError as InvalidError

from expectations.report import ValidationError
from flows.environment import EnvironmentFileError
from flows.reports.tables import UnknownTableError
from flows.settings import Settings
from flows.sources.http import SourceError
from flows.steps.build import NothingToBuildError, TransformError
from flows.steps.data_docs import DataDocsError
from flows.tracing.find_row import TraceError
from warehouse.archive.copy_report import SamePlaceError
from warehouse.archive.snapshot import ArchiveError
from warehouse.claims.read import ClaimError
from warehouse.contracts.source import CardError
from warehouse.contracts.table import ContractError
from warehouse.database.duckdb_file import WarehouseError
from warehouse.database.own_disk import DiskError, own_fault
from warehouse.hub_history.ledger import HistoryError
from warehouse.registry.entry import EntryError
from warehouse.registry.read import RegistryError
from warehouse.releases.manifest import ReleaseError
from warehouse.storage.protocol import StorageError

CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    (
        (
            TraceError,
            UnknownTableError,
            EntryError,
            EnvironmentFileError,
            SamePlaceError,
            DataDocsError,
        ),
        2,
    ),
    ((SourceError,), 3),
    ((ValidationError, TransformError), 4),
    ((ArchiveError, WarehouseError, NothingToBuildError, HistoryError), 5),
    ((RegistryError, ContractError, CardError, ClaimError, DiskError), 5),
    ((ReleaseError, StorageError), 6),
)

# What DuckDB raises for a file that is damaged, locked or on a full disk.
FILE_ERRORS = (duckdb.IOException, duckdb.FatalException, duckdb.SerializationException)
# What it raises for a table or column that the file does not have.
VERSION_ERRORS = (duckdb.BinderException, duckdb.CatalogException)


def settings_problems(error: Exception) -> list[str]:
    """What is wrong with the settings, one line a problem; none for any other error."""
    if not isinstance(error, InvalidError) or error.title != Settings.__name__:
        return []
    return [
        f"{'.'.join(map(str, problem['loc'])) or 'settings'}: "
        f"{problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors()
    ]


def own_disk_fault(error: Exception) -> str | None:
    """The fault of our own disk behind an error; None if publishing has described it already."""
    told = isinstance(error, ReleaseError | StorageError | DiskError)
    return None if told else own_fault(error)


def exit_code(error: BaseException) -> int | None:
    """The code of an expected error; None for any other."""
    return next((code for kinds, code in CODES if isinstance(error, kinds)), None)


def advice_on_duckdb(error: BaseException) -> str | None:
    """What to do about an error of DuckDB that its file causes; None for any other error."""
    if isinstance(error, FILE_ERRORS):
        return "check the disk and that no other program has the file open, or build it again"
    if isinstance(error, VERSION_ERRORS):
        return "another version of this program may have built the file; build it again"
    return None
