"""Great Expectations' Data Docs of a run, made from the results of the validation."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import UTC, date, datetime, time
from html import escape
from pathlib import Path
from typing import Any

from expectations.context import GxObject, ephemeral_context
from expectations.report import Page, Report
from warehouse.storage.scratch import scratch_folder

# The pages load their logo from there, with the build time and the context's id in the URL.
_LOGO = re.compile(r"https://great-expectations-web-assets\.[^\"']*")
# Collapsible sections have random ids; the same results must give the same bytes.
_RANDOM_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The list of results shows times in the zone of the machine.
_LOCAL_TIME = re.compile(r"(?<='run_time': ')[^']*(?=')")


def build_docs(reports: Sequence[Report], folder: Path, as_of: date) -> Path:
    """Writes the site into `folder` and returns its index.html; nothing is validated again.

    `as_of`, the run's logical date, replaces the time that Great Expectations would print, so that
    the same results give the same pages. Each run needs a folder of its own.
    """
    with scratch_folder("docs") as built, ephemeral_context() as context:
        _use_site(context, str(built))
        _keep_objects(context.validation_results_store)
        for report in reports:
            for page in report.pages:
                _store(context, page, datetime.combine(as_of, time(), UTC))
        context.build_data_docs()
        # The animations are two thirds of the site; they belong to a tutorial that is disabled.
        shutil.copytree(built, folder, ignore=shutil.ignore_patterns("*.gif"), dirs_exist_ok=True)
    for file in folder.rglob("*.html"):
        html = _reproducible(file.read_text(encoding="utf-8"), as_of)
        file.write_text(html, encoding="utf-8")
    return folder / "index.html"


def _reproducible(html: str, as_of: date) -> str:
    """A page without what differs from build to build, and without loading the logo."""
    numbers: dict[str, str] = {}
    html = _LOCAL_TIME.sub(as_of.isoformat(), _LOGO.sub("data:,", html))
    return _RANDOM_ID.sub(lambda m: numbers.setdefault(m[0], f"part-{len(numbers) + 1}"), html)


def _inert(found: GxObject) -> GxObject:
    """A result whose texts are not markup: Great Expectations shows values of rows as they are."""
    config, shown = found.expectation_config, copy(found)
    shown.expectation_config = config.described(_escaped(config.description))
    shown.result, shown.exception_info = _escaped(found.result), _escaped(found.exception_info)
    return shown


def _escaped(value: Any) -> Any:  # noqa: ANN401  any JSON
    if isinstance(value, str):
        return escape(value, quote=False)
    if isinstance(value, Mapping):
        return {_escaped(k): _escaped(v) for k, v in value.items()}
    return [_escaped(v) for v in value] if isinstance(value, list | tuple) else value


def _use_site(context: GxObject, folder: str) -> None:
    """Replaces all sites by one in `folder`."""
    for name in list(context.list_data_docs_sites()):
        context.delete_data_docs_site(name)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": folder}
    context.add_data_docs_site(
        site_name="validation",
        site_config={
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": store,
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )


def _store(context: GxObject, page: Page, run_time: datetime) -> None:
    """Stores the results of one table, as a checkpoint named after the stage would."""
    import great_expectations.core as gx_core  # noqa: PLC0415 - see ephemeral_context
    from great_expectations.data_context.types import resource_identifiers  # noqa: PLC0415

    run_id = gx_core.RunIdentifier(run_name=page.stage, run_time=run_time)
    result, table = copy(page.results), page.results.suite_name
    result.results = [_inert(found) for found in result.results]
    result.meta = {
        **result.meta,
        "run_id": {"run_name": page.stage, "run_time": run_time.isoformat()},
        "validation_time": run_time.isoformat(),
        "batch_markers": {},
        "batch_spec": dict(sorted(result.meta["batch_spec"].items())),
    }
    key = resource_identifiers.ValidationResultIdentifier(
        expectation_suite_identifier=resource_identifiers.ExpectationSuiteIdentifier(name=table),
        run_id=run_id,
        batch_identifier=table,
    )
    context.validation_results_store.set(key, result)


def _keep_objects(store: GxObject) -> None:
    """The results stay in memory; as JSON and back they take longer than their validation."""
    store.serialize = store.deserialize = lambda result: result
