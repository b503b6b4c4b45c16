"""The Prefect flows: each plain step wrapped as a task, with names and retries.

`observatory` runs everything; `observe_source` and `release` are its halves, which a server can run
on separate schedules (infra/prefect.yaml). If no server is configured, Prefect starts a temporary
one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial, wraps
from typing import Any, cast

from prefect import State, Task, flow, runtime, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.concurrency.sync import concurrency
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler
from prefect.tasks import exponential_backoff
from prefect.utilities.annotations import quote

import flows.load_environment  # noqa: F401  before the modules below import their libraries
from flows import prefect_artifacts
from flows.settings import Settings, today
from flows.sources.failures import failure_of_run
from flows.sources.http import SourceError
from flows.steps import backfill as backfilling
from flows.steps import observe as observing
from flows.steps import own_places, sequence
from flows.steps.past_shares import PastDay
from flows.steps.publish import Allowed
from flows.steps.sequence import Step
from warehouse.archive import backup
from warehouse.archive.archive import Archive
from warehouse.archive.copy_report import CopyReport
from warehouse.code_version import code_version
from warehouse.database.lock import alone
from warehouse.releases.manifest import Audience
from warehouse.storage.open import open_storage
from warehouse.storage.protocol import Storage

log = logging.getLogger("observatory.pipeline")

RETRIES = 2
STARTED: dict[str, date] = {}  # the day on which each run of this process started
BUILD_LIMIT = "observatory-build"  # one build at a time; created by `python -m infra.register`


def _log_to_the_run() -> None:
    """Sends the logs of the steps to the page of their run and to a worker's console."""
    root = logging.getLogger("observatory")
    if not any(isinstance(handler, APILogHandler) for handler in root.handlers):
        to_server = APILogHandler()
        to_server.addFilter(lambda _: bool(FlowRunContext.get() or TaskRunContext.get()))
        root.addHandler(to_server)
    if root.level == logging.NOTSET:
        root.setLevel(logging.INFO)


_log_to_the_run()


def _is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a retry may help: a timeout passes, but a renamed column stays renamed."""
    try:
        state.result()
    except SourceError as error:
        if error.is_unreachable and runtime.flow_run.parent_flow_run_id:
            return False  # in a run of all sources, each would wait for the same dead network
        if error.is_transient:
            log.warning("%s\n  next: retrying in about a minute", error)
        return error.is_transient
    except Exception:  # any other failure would happen again
        return False
    return False


observe_task = task(
    name="observe",
    task_run_name="observe-{source}",
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(backoff_factor=20),
    retry_jitter_factor=0.5,
    retry_condition_fn=_is_transient,
    cache_policy=NO_CACHE,
    persist_result=False,
)(observing.observe)


def _as_task(step: Step, /) -> Step:
    """A step as a task, without retries: the same bytes give the same failure.

    Arguments are quoted. Prefect would otherwise search every file of every snapshot for futures,
    0.2 ms each, and a year of the Hub has a million files.
    """
    as_task = task(task_run_name=_task_name, cache_policy=NO_CACHE, persist_result=False)(step)

    @wraps(step)
    def run(*args: object, **kwargs: object) -> object:
        return as_task(*map(quote, args), **{name: quote(v) for name, v in kwargs.items()})

    return cast(Step, run)


def _task_name() -> str:
    """The step and its layer, such as `validate-core` or `load_raw`."""
    layer = runtime.task_run.parameters.get("layer")
    name: str = runtime.task_run.task_name
    return f"{name}-{layer.unwrap()}" if layer else name


def _run_name() -> str:
    """The flow and its day, such as `observe-hub-2026-08-15` or `release-2026-08-15`."""
    parameters = runtime.flow_run.parameters
    source = parameters.get("source")
    what = f"observe-{source}" if source else runtime.flow_run.flow_name
    return f"{what}-{_day(parameters.get('as_of'))}"


def _day(as_of: date | None) -> date:
    """The run's day: as given, else the one on which it started, also if it lasts past midnight."""
    return as_of or STARTED.setdefault(runtime.flow_run.id, today())


@flow(name="observe-source", flow_run_name=_run_name, validate_parameters=True)
def observe_source(
    source: str,
    as_of: date | None = None,
    overrides: dict[str, Any] | None = None,
    slot: str | None = None,
) -> str:
    """Archives one source under the day (default: today, UTC). Returns the snapshot's id.

    `slot` is the time (HHMM, UTC) of one of several observations of a day; `scheduled` is the time
    for which the run was scheduled, which is the same for every retry. A run that starts over an
    hour late, or on another day, files under the real minute.
    """
    settings = Settings(**overrides or {})
    is_late = False
    if slot == "scheduled":
        planned = runtime.flow_run.scheduled_start_time.astimezone(UTC)
        at = observing.moment_of(planned, datetime.now(UTC))
        is_late = at.is_late and as_of is None
        as_of, slot = as_of or at.day, at.slot
    day = _day(as_of)
    pull = partial(backup.pull, sources=[source], day=day, only_missing=True)
    _copy_archive(settings, pull, must_succeed=False)
    observation = observe_task(source, settings, day, slot, is_late=is_late)
    _copy_archive(settings, partial(backup.push, sources=[source], only_missing=True))
    return observation.snapshot.snapshot_id


@flow(name="release", flow_run_name=_run_name, validate_parameters=True)
def release(
    as_of: date | None = None,
    audience: Audience = "internal",
    allow_shrink: bool = False,
    overrides: dict[str, Any] | None = None,
    allow_older: bool = False,
    allow_sample: bool = False,
) -> list[dict[str, Any]]:
    """Builds the warehouse from the archive and publishes it. Returns one record per target."""
    settings, day = Settings(**overrides or {}), _day(as_of)
    allowed = Allowed(allow_shrink, allow_older, allow_sample)
    with concurrency(BUILD_LIMIT, occupy=1), alone(settings.warehouse):
        own_places.require_own_places(settings, day, audience, allowed)
        sources = settings.archived_sources
        _copy_archive(settings, partial(backup.pull, sources=sources, only_missing=True))
        built = sequence.build(settings, day, wrap=_as_task, allowed=allowed)
        prefect_artifacts.create_artifacts(settings, built.report)
        published = sequence.publish(
            settings,
            settings.publish_to,
            audience,
            allowed=allowed,
            wrap=_as_task,
            just_built=True,
        )
        for place in published:
            prefect_artifacts.record_assets(place.url)
        prefect_artifacts.send_alerts(settings)
    return [vars(p) for p in published]


def _copy_archive(
    settings: Settings,
    copy: Callable[[Archive, Storage], CopyReport],
    *,
    must_succeed: bool = True,
) -> None:
    """Copies the archive from or to storage, for workers without a permanent disk."""
    if settings.archive_copy:
        storage = open_storage(settings.archive_copy)
        done = copy(Archive(settings.archive), storage)
        log.info("%s: %d snapshots, %d bytes", storage.url, len(done.snapshots), done.bytes)
        if must_succeed:
            done.raise_for_problems()
        for problem in done.problems:
            log.warning("%s", problem)


@flow(name="observatory", flow_run_name=_run_name, validate_parameters=True)
def observatory(
    as_of: date | None = None,
    audience: Audience = "internal",
    allow_shrink: bool = False,
    observe: bool = True,
    overrides: dict[str, Any] | None = None,
    allow_older: bool = False,
    allow_sample: bool = False,
) -> list[dict[str, Any]]:
    """Observes every source, then builds and publishes.

    `overrides` are settings by name, which override environment and `.env`. If a source fails, the
    others are still archived, but nothing is built, and the run ends with the error.
    """
    day, settings = _day(as_of), Settings(**overrides or {})
    allowed = Allowed(allow_shrink, allow_older, allow_sample)
    own_places.require_own_places(settings, day, audience, allowed)
    if observe:
        _observe_all(settings.sources, day, overrides)
    return release(day, audience, allow_shrink, overrides, allow_older, allow_sample)


def _observe_all(sources: tuple[str, ...], day: date, overrides: dict[str, Any] | None) -> None:
    states = [observe_source(name, day, overrides, return_state=True) for name in sources]
    failures: list[BaseException] = []
    for state in states:
        try:
            state.result()
        except Exception as error:  # raised below, after every source was observed
            failures.append(error)
    if failures:
        raise failure_of_run(failures, len(sources))


@task(task_run_name="backfill-{day.day}", cache_policy=NO_CACHE, persist_result=False)
def backfill_task(given: backfilling.Backfill, day: PastDay) -> bool:
    """Computes one day on any worker."""
    return backfilling.backfill_day(given, day)


@flow(name="backfill-days")
def _backfill_days(given: backfilling.Backfill) -> list[bool]:
    runs = backfill_task.map(unmapped(given), list(given.days))
    return [run.result() for run in runs]


@flow(name="backfill", flow_run_name="backfill-{first}-{last}", validate_parameters=True)
def backfill(
    first: date,
    last: date,
    reason: str,
    as_of: date | None = None,
    workers: int = 2,
    scheduler: str | None = None,
    overrides: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Computes the shares of the days from `first` to `last` on Dask and records the backfill.

    `scheduler` is the address of a Dask scheduler whose workers have archive, history and warehouse
    folder under the same paths; without one a local cluster of `workers` processes is started.
    Running it again after a crash continues: days that are stored are not computed again.
    """
    settings, began = Settings(**overrides or {}), datetime.now(UTC).replace(microsecond=0)
    with backfilling.prepare(settings, first, last, as_of or today()) as given:
        runner = _dask(workers, scheduler)
        found = _backfill_days.with_options(task_runner=runner)(given) if given.days else []
    entry = {
        "from": first,
        "to": last,
        "reason": reason,
        "as_of": given.as_of,
        "began_at": began.isoformat(),
        "ended_at": datetime.now(UTC).replace(microsecond=0).isoformat(),
        "days": len(found),
        "computed": sum(found),
        "code_digest": code_version()["digest"],
    }
    backfilling.record(settings.backfills, entry)
    return entry


def _dask(workers: int, scheduler: str | None) -> Any:  # noqa: ANN401  an optional extra, untyped
    from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415

    if scheduler:
        return DaskTaskRunner(address=scheduler)
    quiet = {"dashboard_address": None, "silence_logs": "ERROR", "host": "127.0.0.1"}
    return DaskTaskRunner(cluster_kwargs={"n_workers": workers, "threads_per_worker": 1, **quiet})
