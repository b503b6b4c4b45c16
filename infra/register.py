"""Registers the project with a Prefect server; run it again after a change.

`python -m infra.register`:

    --pool process|docker|managed   where runs happen (infra/pools/*.yaml); default process
    --image NAME                    of infra/Dockerfile, for the docker pool
    --repository URL --branch NAME  where managed runs find the code
    --forget NAME                   remove a stored setting or secret from the server

Brings the server up to what the files say: work pool, the limit of one build at a time, settings
and secrets of this environment (infra/server_settings.py), every deployment and its schedules
(infra/deployments.py), and the automations of infra/automations.yaml. Schedules and automations
that the files no longer have are removed; what an operator paused stays paused.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    DeploymentUpdate,
    GlobalConcurrencyLimitCreate,
    WorkPoolCreate,
)
from prefect.exceptions import ObjectNotFound
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from flows.pipeline import BUILD_LIMIT
from infra.automations import NO_ADDRESS, has_alert_address, update_automations
from infra.deployments import deployment_names, prefect_file
from infra.schedules import remove_stale_schedules
from infra.server import RegisterError, server
from infra.server_settings import PLAIN, SECRETS, store_settings
from warehouse.storage.scratch import scratch_folder

INFRA = Path(__file__).parent


def main(arguments: list[str] | None = None) -> int:
    """Registers everything. Returns the exit code."""
    options = _parser().parse_args(arguments)
    pool = _pool(options)
    try:
        with server() as client:
            notes = register(client, pool, os.environ, frozenset(options.forget))
    except RegisterError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.writelines(f"{note}\n" for note in notes)
    sys.stdout.write(f"registered. Next: prefect worker start --pool {pool['name']}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pool", choices=["process", "docker", "managed"], default="process")
    parser.add_argument("--image", default="origin-observatory:latest")
    parser.add_argument("--repository", default="")
    parser.add_argument("--branch", default="main")
    names = (*SECRETS, *PLAIN)
    parser.add_argument("--forget", action="append", default=[], choices=names, metavar="NAME")
    return parser


def _pool(options: argparse.Namespace) -> dict[str, Any]:
    """One pool file, filled in from the options."""
    if options.pool == "managed" and not options.repository:
        _parser().error("--pool managed needs --repository URL, from which runs fetch the code")
    text = (INFRA / "pools" / f"{options.pool}.yaml").read_text("utf-8")
    for name in ("image", "repository", "branch"):
        text = text.replace(f"<{name}>", getattr(options, name))
    return cast(dict[str, Any], yaml.safe_load(text))


def register(
    client: SyncPrefectClient,
    pool: dict[str, Any],
    env: Mapping[str, str],
    forgotten: frozenset[str] = frozenset(),
) -> list[str]:
    """Updates a server from the files and the environment.

    Returns what it removed and what is missing, one per line.

    Raises RegisterError.
    """
    _work_pool(client, pool)
    _build_limit(client)
    references = store_settings(client, env, forgotten)
    _deploy(pool, references)
    for name in deployment_names():
        _set_job_variables(client, name, pool, references)
    schedules = remove_stale_schedules(client, references)
    removed = update_automations(client, env)
    notes = [*schedules, *(f"removed the automation {name}" for name in removed)]
    return notes if has_alert_address(env) else [*notes, NO_ADDRESS]


def _work_pool(client: SyncPrefectClient, pool: dict[str, Any]) -> None:
    try:
        client.read_work_pool(pool["name"])
    except ObjectNotFound:
        template = _template(pool["type"])
        client.create_work_pool(
            WorkPoolCreate(name=pool["name"], type=pool["type"], base_job_template=template)
        )


def _template(kind: str) -> dict[str, Any]:
    import asyncio  # noqa: PLC0415

    found = asyncio.run(get_default_base_job_template_for_infrastructure_type(kind))
    return found or {}


def _build_limit(client: SyncPrefectClient) -> None:
    try:
        client.read_global_concurrency_limit_by_name(BUILD_LIMIT)
    except ObjectNotFound:
        client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name=BUILD_LIMIT, limit=1)
        )


def _deploy(pool: dict[str, Any], known: Collection[str]) -> None:
    """`prefect deploy --all` with this pool in place of the one that the file names."""
    written = prefect_file(known) | {"pull": pool["pull"]}
    for deployment in written["deployments"]:
        deployment["work_pool"]["name"] = pool["name"]
    with scratch_folder("deploy") as folder:
        path = folder / "prefect.yaml"
        path.write_text(yaml.safe_dump(written), encoding="utf-8")
        command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
        done = subprocess.run(
            [*command, "--prefect-file", str(path)],
            cwd=INFRA.parent,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RegisterError(f"`prefect deploy --all` failed:\n{done.stdout}{done.stderr}")


def _set_job_variables(
    client: SyncPrefectClient, name: str, pool: dict[str, Any], references: dict[str, str]
) -> None:
    """Sets the job variables of a deployment: those of the pool, and references.

    It does so after the deploy, since `prefect deploy` would resolve the references and store the
    secrets in plain text.
    """
    deployment = client.read_deployment_by_name(name)
    variables = dict(deployment.job_variables or {})
    if pool["type"] != "process":
        variables.pop("working_dir", None)
    variables |= pool["job_variables"]
    variables["env"] = (variables.get("env") or {}) | references
    client.update_deployment(deployment.id, DeploymentUpdate(job_variables=variables))


if __name__ == "__main__":
    raise SystemExit(main())
