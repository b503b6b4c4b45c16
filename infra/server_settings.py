"""Settings and credentials of this environment, stored on a Prefect server.

Secrets become blocks, which the server encrypts; the rest become variables. Deployments have only
references to them, which the worker resolves.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from uuid import UUID

from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate
from prefect.exceptions import ObjectNotFound

from flows.credentials import TOKENS
from flows.environment import OTHER_VARIABLES, setting_names
from infra.automations import ALERT_ADDRESS
from warehouse.storage.redact import redact

SESSION = "AWS_SESSION_TOKEN"
SECRETS = (*TOKENS, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", SESSION)
# Documented, but not for workers: a proxy is of one machine, and alerts have a webhook block.
_NOT_STORED = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "AWS_*", ALERT_ADDRESS)
PLAIN = (
    *(name for names in setting_names().values() for name in names),
    *(name for name, _, _ in OTHER_VARIABLES if name not in (*SECRETS, *_NOT_STORED)),
    *("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_PROFILE"),
    *("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"),
)


def store_settings(
    client: SyncPrefectClient, env: Mapping[str, str], forgotten: frozenset[str]
) -> dict[str, str]:
    """Stores what the environment has. Returns references to all that the server has, by variable.

    What the environment lacks stays as it is on the server, unless it is to be forgotten. A plain
    setting with credentials inside, such as an address with a password, is stored as a secret.
    """
    given = {name: env[name] for name in (*SECRETS, *PLAIN) if env.get(name)}
    for name in (*SECRETS, *PLAIN):
        if value := given.get(name):
            _store(client, name, value)
        elif name in forgotten or _is_outdated(name, given):
            _remove_secret(client, name)
            _remove_variable(client, name)
    plain = [n for n in PLAIN if client.read_variable_by_name(_variable(n))]
    secret = [n for n in (*SECRETS, *PLAIN) if _stored_secret(client, n)]
    return {n: f"{{{{ prefect.variables.{_variable(n)} }}}}" for n in plain} | {
        n: f"{{{{ prefect.blocks.secret.{_block(n)} }}}}" for n in secret
    }


def _is_outdated(name: str, given: Mapping[str, str]) -> bool:
    """Permanent AWS keys do not work with the session token of earlier temporary ones."""
    return name == SESSION and "AWS_ACCESS_KEY_ID" in given


def _store(client: SyncPrefectClient, name: str, value: str) -> None:
    if name in SECRETS or redact(value) != value:
        Secret(value=value).save(_block(name), overwrite=True)
        _remove_variable(client, name)
    else:
        _remove_variable(client, name)
        client.create_variable(VariableCreate(name=_variable(name), value=value))
        _remove_secret(client, name)


def _stored_secret(client: SyncPrefectClient, name: str) -> UUID | None:
    try:
        return client.read_block_document_by_name(_block(name), "secret").id
    except ObjectNotFound:
        return None


def _remove_secret(client: SyncPrefectClient, name: str) -> None:
    if stored := _stored_secret(client, name):
        client.delete_block_document(stored)


def _remove_variable(client: SyncPrefectClient, name: str) -> None:
    with suppress(ObjectNotFound):
        client.delete_variable_by_name(_variable(name))


def _block(name: str) -> str:
    return "observatory-" + name.lower().removeprefix("observatory_").replace("_", "-")


def _variable(name: str) -> str:
    return name.lower()
