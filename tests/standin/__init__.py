"""One loopback HTTP server that answers as the Hub, LMArena, GitHub, Epoch and AI Index do.

It serves only a folder of recordings: what was not recorded is refused, never made
up. The layout it reads::

    hub/<day>/models.ndjson.zst          one model per line, the API's own keys
    hub/<day>/datasets.ndjson.zst        one dataset per line; else those of the trending strips
    hub/trending/<UTC minute>.json       bodies of /api/trending
    hub/samples/responses.json           recorded responses of /api/models/{id}
    hub-stats/<day>/models.parquet       a dataset of a third party, a commit per day
    hub_evolution/**                     files of a study's dataset, at their paths
    trending_2025/{trending,origins}.csv  a feed on GitHub, a commit per recorded day
    lmarena/leaderboard-dataset/**       files of the dataset, at their paths
    lmarena/space/**                     files of the frozen Space
    lmarena/arena-catalog/<day>/*.json   boards of lmarena/arena-catalog, a commit per day
    epoch/<day>/<name>.csv               files as published by that day
    ai_index/<edition>/**                one edition's public data

Any of them may be missing. Use ``with StandIn(folder) as standin`` in a test, or
``python -m tests.standin FOLDER`` from a shell. To inject faults, give a `FaultPlan`, or subclass
`StandIn` and override `answer`.
"""

from tests.standin.faults import FINAL, RECOVERABLE, FaultPlan
from tests.standin.server import LoggedRequest, StandIn
from tests.standin.web import Answer, Call, RecordingError, RefusalError

__all__ = [
    "FINAL",
    "RECOVERABLE",
    "Answer",
    "Call",
    "FaultPlan",
    "LoggedRequest",
    "RecordingError",
    "RefusalError",
    "StandIn",
]
