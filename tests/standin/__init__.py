"""One loopback HTTP server that answers as the Hub, LMArena, GitHub, Epoch and AI Index do.

It serves a folder of recordings and nothing else: what was not recorded is refused, never made
up. The layout it reads::

    hub/<day>/models.ndjson.zst          one model a line, the API's own keys
    hub/<day>/datasets.ndjson.zst        one data set a line; else those of the trending strips
    hub/trending/<UTC minute>.json       bodies of /api/trending
    hub/samples/responses.json           recorded answers of /api/models/{id}
    hub-stats/<day>/models.parquet       a third party's data set, a commit a day
    lmarena/leaderboard-dataset/**       files of the data set, at their paths in it
    lmarena/space/**                     files of the frozen Space
    lmarena/arena-catalog/<day>/*.json   boards of lmarena/arena-catalog, a commit a day
    epoch/<day>/<name>.csv               files as published by that day
    ai_index/<edition>/**                one edition's public data

Any of them may be absent. Use ``with StandIn(folder) as standin`` in a test, or
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
