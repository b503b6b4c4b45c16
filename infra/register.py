"""Registers the project with a Prefect server; run it again after a change.

`python -m infra.register`:

    --pool process|docker|managed   where runs happen (infra/pools/*.yaml); default process
    --image NAME                    of infra/Dockerfile, for the docker pool
    --repository URL --branch NAME  where managed runs find the code

Creates or updates the work pool, the limit of one build at a time, secret blocks and variables
from this environment, every deployment (infra/deployments.py), and the automations of
infra/automations.yaml. Secrets are stored in blocks, which the server encrypts;
deployments have only references, which the worker resolves.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from prefect.automations import Automation
from prefect.blocks.system import Secret
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentUpdate,
    GlobalConcurrencyLimitCreate,
    WorkPoolCreate,
)
from prefect.exceptions import ObjectNotFound
from prefect.variables import Variable
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type
from pydantic import TypeAdapter

from flows.pipeline import BUILD_LIMIT
from flows.settings import Settings
from infra.deployments import deployment_names, prefect_file

INFRA = Path(__file__).parent
SECRETS = ("HF_TOKEN", "GITHUB_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
ALERTS = "observatory-alerts"
ALERT_ADDRESS = "OBSERVATORY_ALERT_URL"
# Not secret: stored as variables of the server.
PLAIN = ("AWS_ENDPOINT_URL_S3", "AWS_REGION", "HF_ENDPOINT")


class RegisterError(RuntimeError):
    """The registration failed."""


def main(arguments: list[str] | None = None) -> int:
    """Registers everything. Returns the exit code."""
    options = _parser().parse_args(arguments)
    pool = _pool(options)
    try:
        with get_client(sync_client=True) as client:
            register(client, pool, os.environ)
    except RegisterError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"registered. Next: prefect worker start --pool {pool['name']}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pool", choices=["process", "docker", "managed"], default="process")
    parser.add_argument("--image", default="origin-observatory:latest")
    parser.add_argument("--repository", default="")
    parser.add_argument("--branch", default="main")
    return parser


def _pool(options: argparse.Namespace) -> dict[str, Any]:
    """One pool file, filled in from the options."""
    if options.pool == "managed" and not options.repository:
        _parser().error("--pool managed needs --repository URL, from which runs fetch the code")
    text = (INFRA / "pools" / f"{options.pool}.yaml").read_text("utf-8")
    for name in ("image", "repository", "branch"):
        text = text.replace(f"<{name}>", getattr(options, name))
    return cast(dict[str, Any], yaml.safe_load(text))


def register(client: SyncPrefectClient, pool: dict[str, Any], env: Mapping[str, str]) -> None:
    """Updates a server from the files and the environment. Raises RegisterError."""
    _work_pool(client, pool)
    _build_limit(client)
    references = _secrets(env) | _variables(env)
    _deploy(pool)
    for name in deployment_names():
        _set_job_variables(client, name, pool, references)
    _automations(_webhook(env))


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


def _secrets(env: Mapping[str, str]) -> dict[str, str]:
    """Stores secrets of the environment in blocks. Returns references to all blocks by variable."""
    for name in SECRETS:
        if env.get(name):
            Secret(value=env[name]).save(_block(name), overwrite=True)
    known = [name for name in SECRETS if _has_secret(_block(name))]
    return {name: f"{{{{ prefect.blocks.secret.{_block(name)} }}}}" for name in known}


def _has_secret(block: str) -> bool:
    try:
        Secret.load(block)
    except ValueError:
        return False
    return True


def _block(name: str) -> str:
    return "observatory-" + name.lower().replace("_", "-")


def _variables(env: Mapping[str, str]) -> dict[str, str]:
    """Stores settings of the environment as variables. Returns references to all of them."""
    settings = [f"OBSERVATORY_{field.upper()}" for field in Settings.model_fields]
    for name in (*settings, *PLAIN):
        if env.get(name):
            Variable.set(name.lower(), env[name], overwrite=True)
    known = [name for name in (*settings, *PLAIN) if Variable.get(name.lower()) is not None]
    return {name: f"{{{{ prefect.variables.{name.lower()} }}}}" for name in known}


def _deploy(pool: dict[str, Any]) -> None:
    """`prefect deploy --all` with this pool in place of the one that the file names."""
    written = prefect_file() | {"pull": pool["pull"]}
    for deployment in written["deployments"]:
        deployment["work_pool"]["name"] = pool["name"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prefect.yaml"
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


def _webhook(env: Mapping[str, str]) -> str | None:
    """Id of the block that alerts are sent to; None if there is no address."""
    if address := env.get(ALERT_ADDRESS):
        return str(Webhook(url=address, method="POST").save(ALERTS, overwrite=True))
    try:
        return str(cast(Webhook, Webhook.load(ALERTS))._block_document_id)
    except ValueError:
        return None


def _automations(webhook: str | None) -> None:
    text = (INFRA / "automations.yaml").read_text("utf-8")
    for written in yaml.safe_load(text)["automations"]:
        wanted = automation(written, webhook)
        try:
            old = cast(Automation, Automation.read(name=wanted.name))
        except ValueError:
            wanted.create()
        else:
            wanted.model_copy(update={"id": old.id}).update()


def automation(written: dict[str, Any], webhook: str | None) -> Automation:
    """One entry of the file in the server's format; `notify` becomes its action."""
    entry = dict(written)
    if text := entry.pop("notify", None):
        payload = (
            '{"automation": {{ automation.name | tojson }}, "text": {% set text %}'
            + text
            + "{% endset %}{{ text | string | tojson }}}"
        )
        entry["actions"] = (
            [{"type": "call-webhook", "block_document_id": webhook, "payload": payload}]
            if webhook
            else [{"type": "do-nothing"}]
        )
    return TypeAdapter(Automation).validate_python(entry)


if __name__ == "__main__":
    raise SystemExit(main())
