"""The modules that commands call, imported at their first use so that `--help` is quick.

`lazy.sequence.build(...)` imports `flows.steps.sequence` when it is reached. Commands import
nothing slow in any other way.
"""

# ruff: noqa: PLC0414  `import a as a` tells mypy that the name may be used from outside

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from expectations import context as context
    from flows import environment as environment
    from flows import pipeline as pipeline
    from flows import settings as settings
    from flows.cli import exit_codes as exit_codes
    from flows.reports import claim_verdict as claim_verdict
    from flows.reports import claims as claims
    from flows.reports import headline as headline
    from flows.reports import registry_gaps as registry_gaps
    from flows.reports import similar_names as similar_names
    from flows.reports import status as status
    from flows.reports import tables as tables
    from flows.reports import validation as validation
    from flows.steps import hub_history as hub_history
    from flows.steps import observe as observe
    from flows.steps import own_places as own_places
    from flows.steps import publish as publish
    from flows.steps import publish_to_huggingface as publish_to_huggingface
    from flows.steps import reuse as reuse
    from flows.steps import sequence as sequence
    from flows.tracing import trace as trace
    from warehouse.archive import archive as archive
    from warehouse.archive import backup as backup
    from warehouse.claims import claim_edit as claim_edit
    from warehouse.claims import predicates as predicates
    from warehouse.contracts import vocabulary as vocabulary
    from warehouse.database import duckdb_file as duckdb_file
    from warehouse.database import lock as lock
    from warehouse.publishing import catalog as catalog
    from warehouse.publishing import channels as channels
    from warehouse.publishing import diff as diff
    from warehouse.publishing import pointer as pointer
    from warehouse.publishing import release_objects as release_objects
    from warehouse.publishing import retention as retention
    from warehouse.publishing import verify as verify
    from warehouse.registry import edit as edit
    from warehouse.registry import load as load
    from warehouse.site import i18n as i18n
    from warehouse.storage import open as open
    from warehouse.storage import scratch as scratch

MODULES = {
    "context": "expectations.context",
    "environment": "flows.environment",
    "pipeline": "flows.pipeline",
    "settings": "flows.settings",
    "exit_codes": "flows.cli.exit_codes",
    "claim_verdict": "flows.reports.claim_verdict",
    "claims": "flows.reports.claims",
    "headline": "flows.reports.headline",
    "registry_gaps": "flows.reports.registry_gaps",
    "similar_names": "flows.reports.similar_names",
    "status": "flows.reports.status",
    "tables": "flows.reports.tables",
    "validation": "flows.reports.validation",
    "hub_history": "flows.steps.hub_history",
    "observe": "flows.steps.observe",
    "own_places": "flows.steps.own_places",
    "publish": "flows.steps.publish",
    "publish_to_huggingface": "flows.steps.publish_to_huggingface",
    "reuse": "flows.steps.reuse",
    "sequence": "flows.steps.sequence",
    "trace": "flows.tracing.trace",
    "archive": "warehouse.archive.archive",
    "backup": "warehouse.archive.backup",
    "claim_edit": "warehouse.claims.claim_edit",
    "duckdb_file": "warehouse.database.duckdb_file",
    "lock": "warehouse.database.lock",
    "predicates": "warehouse.claims.predicates",
    "catalog": "warehouse.publishing.catalog",
    "channels": "warehouse.publishing.channels",
    "diff": "warehouse.publishing.diff",
    "pointer": "warehouse.publishing.pointer",
    "release_objects": "warehouse.publishing.release_objects",
    "retention": "warehouse.publishing.retention",
    "verify": "warehouse.publishing.verify",
    "edit": "warehouse.registry.edit",
    "load": "warehouse.registry.load",
    "i18n": "warehouse.site.i18n",
    "open": "warehouse.storage.open",
    "scratch": "warehouse.storage.scratch",
    "vocabulary": "warehouse.contracts.vocabulary",
}


def __getattr__(name: str) -> ModuleType:
    """Imports a module when it is used for the first time."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(MODULES[name])
