"""The tests that a claim can use: a closed list.

Each class is one test with its parameters; the field `test` is its name. `transforms.claims` has
the computation of the same name. Claims use these tests and never a query of their own.
"""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from warehouse.claims.predicates.base import Outside, Test
from warehouse.claims.predicates.hub_models import (
    DatasetsCreated,
    DerivativeCount,
    DerivativeShare,
    DownloadConcentration,
    HubCounter,
    ModelParameters,
    ModelRank,
    ModelsCreated,
    ParameterRatio,
    RepositoriesCreated,
    TopOverlap,
)
from warehouse.claims.predicates.hub_shares import (
    HubAmount,
    HubLead,
    HubPart,
    HubRank,
    HubShare,
)
from warehouse.claims.predicates.publications import (
    AiIndexValue,
    EpochValue,
    FrontierLag,
    ModelsPublished,
    NotableCount,
    PublishedLead,
)
from warehouse.claims.predicates.rankings import (
    ArenaAhead,
    ArenaCount,
    ArenaFirst,
    ArenaLead,
    ArenaRank,
    ArenaSpread,
    TrendingDays,
    TrendingWeeks,
)
from warehouse.claims.predicates.windows import (
    WindowAmount,
    WindowLead,
    WindowRank,
    WindowShare,
)

AnyTest = Annotated[
    HubShare | HubAmount | HubLead | HubRank | HubPart | WindowShare
    | WindowAmount | WindowLead | WindowRank | DerivativeShare | RepositoriesCreated
    | DatasetsCreated | ModelsCreated | ModelRank | ParameterRatio | ModelParameters | HubCounter
    | TrendingDays | TrendingWeeks | ArenaCount | ArenaRank | ArenaFirst | ArenaLead | ArenaAhead
    | ArenaSpread | NotableCount | ModelsPublished | DerivativeCount | TopOverlap
    | DownloadConcentration | EpochValue | PublishedLead | FrontierLag | AiIndexValue | Outside,
    Field(discriminator="test"),
]  # fmt: skip
TESTS: tuple[str, ...] = tuple(
    get_args(kind.model_fields["test"].annotation)[0] for kind in get_args(get_args(AnyTest)[0])
)
BY_NAME: dict[str, type[Test]] = dict(zip(TESTS, get_args(get_args(AnyTest)[0]), strict=True))
