"""Which exit code an error gets, for scripts."""

from __future__ import annotations

from expectations.report import ValidationError
from flows.build import NothingToBuildError
from flows.sources.http import SourceError
from flows.tracing.question import WhyError
from warehouse.cards import CardError
from warehouse.claims import ClaimError
from warehouse.contract import ContractError
from warehouse.database import WarehouseError
from warehouse.history.ledger import HistoryError
from warehouse.manifest import ReleaseError
from warehouse.registry_check import RegistryError
from warehouse.snapshot import ArchiveError
from warehouse.storage import StorageError

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
