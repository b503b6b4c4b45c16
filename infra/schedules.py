"""Schedules of a Prefect server that the files no longer have."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.responses import DeploymentResponse

from infra.deployments import deployment_names, prefect_file

OURS = DeploymentFilter(tags=DeploymentFilterTags(all_=["observatory"]))


def remove_stale_schedules(client: SyncPrefectClient, known: Collection[str]) -> list[str]:
    """Removes schedules that the files lack, and the runs planned for them.

    `known` is as for `prefect_file`. A deployment that the files lack keeps its runs, but no
    schedule. Returns what was removed. `prefect deploy` itself keeps the old schedules of a
    deployment without any.
    """
    wanted = dict(zip(deployment_names(), prefect_file(known)["deployments"], strict=True))
    removed = []
    for found in _deployments(client):
        name = f"{client.read_flow(found.flow_id).name}/{found.name}"
        slugs = {s["slug"] for s in wanted.get(name, {"schedules": []})["schedules"]}
        for schedule in found.schedules:
            if schedule.slug not in slugs:
                client.delete_deployment_schedule(found.id, schedule.id)
                removed.append(f"removed the schedule {_text(schedule.schedule)} of {name}")
    return removed


def _deployments(client: SyncPrefectClient) -> list[DeploymentResponse]:
    """All deployments of the project on the server, page by page."""
    found: list[DeploymentResponse] = []
    while page := client.read_deployments(deployment_filter=OURS, offset=len(found)):
        found += page
    return found


def _text(schedule: Any) -> str:  # noqa: ANN401  one of three kinds
    return str(getattr(schedule, "cron", None) or getattr(schedule, "interval", None) or "rrule")
