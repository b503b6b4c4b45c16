"""Which exit code an error gets, for scripts."""

from __future__ import annotations

from expectations.report import ValidationError
from flows.sources.http import SourceError
from flows.steps.build import NothingToBuildError
from flows.tracing.question import WhyError
from warehouse.archive.snapshot import ArchiveError
from warehouse.claims.claim import ClaimError
from warehouse.contracts.source import CardError
from warehouse.contracts.table import ContractError
from warehouse.database.duckdb_file import WarehouseError
from warehouse.hub_history.ledger import HistoryError
from warehouse.registry.read import RegistryError
from warehouse.releases.manifest import ReleaseError
from warehouse.storage.protocol import StorageError

CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((WhyError,), 2),
    ((SourceError,), 3),
    ((ValidationError,), 4),
    ((ArchiveError, WarehouseError, NothingToBuildError, HistoryError), 5),
    ((RegistryError, ContractError, CardError, ClaimError), 5),
    ((ReleaseError, StorageError), 6),
)


def exit_code(error: BaseException) -> int | None:
    """The code of a known error; None for one that nobody foresaw."""
    return next((code for kinds, code in CODES if isinstance(error, kinds)), None)
