"""All deployments: those of infra/prefect.yaml, and one for each source card with a schedule."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import yaml

from warehouse.contracts.source import Card, card
from warehouse.contracts.source_order import observed_sources

FILE = Path(__file__).parent / "prefect.yaml"


def prefect_file(known: Collection[str] | None = None) -> dict[str, Any]:
    """The content of infra/prefect.yaml with the deployments of the sources added.

    `known` names the settings that the server has. A source whose required token is not among them
    has a deployment without a schedule. None: every source has its schedule.
    """
    content = cast(dict[str, Any], yaml.safe_load(FILE.read_text("utf-8")))
    shared = content["definitions"].pop("source")
    scheduled = [c for c in map(card, observed_sources()) if c.schedule]
    of_sources = [_deployment(c, shared) for c in scheduled]
    for source, deployment in zip(scheduled, of_sources, strict=True):
        if known is not None and source.required_token and source.required_token not in known:
            deployment["schedules"] = []
    content["deployments"] = of_sources + content["deployments"]
    return content


def _deployment(source: Card, shared: dict[str, Any]) -> dict[str, Any]:
    assert source.schedule
    assert source.module
    slot = {"slot": "scheduled"} if source.several_a_day else {}
    return shared | {
        "name": source.id,
        "description": f"Observes {source.title}.",
        "tags": [*shared["tags"], source.module.split(".", maxsplit=1)[0]],
        "parameters": {"source": source.id, **slot},
        "schedules": [source.schedule.model_dump() | {"timezone": "UTC"}],
    }


def deployment_names() -> list[str]:
    """`<flow>/<deployment>` of every deployment."""
    return [
        f"{d['entrypoint'].split(':')[1].replace('_', '-')}/{d['name']}"
        for d in prefect_file()["deployments"]
    ]
