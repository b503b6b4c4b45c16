"""The automations of infra/automations.yaml, and the webhook that alerts are sent to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from pydantic import TypeAdapter

FILE = Path(__file__).parent / "automations.yaml"
PREFIX = "observatory-"  # of all our automations; others are left alone
ALERTS = "observatory-alerts"
ALERT_ADDRESS = "OBSERVATORY_ALERT_URL"
NO_ADDRESS = (
    f"alerts are sent nowhere: set {ALERT_ADDRESS} to a webhook's address and register again"
)


def update_automations(client: SyncPrefectClient, env: Mapping[str, str]) -> list[str]:
    """Creates, updates and removes automations. Returns the names of the removed ones.

    One that is unchanged is left alone: an update would forget which runs it is watching. One that
    was paused stays paused.
    """
    old = {found.name: found for found in _ours(client)}
    wanted = {a.name: a for a in automations(_webhook(env))}
    for name, new in wanted.items():
        if not (present := old.get(name)):
            new.create()
        elif not is_same(present, new):
            new.model_copy(update={"id": present.id, "enabled": present.enabled}).update()
    gone = sorted(set(old) - set(wanted))
    for name in gone:
        old[name].delete()
    return gone


def _ours(client: SyncPrefectClient) -> Iterator[Automation]:
    """All automations of the server with our prefix, page by page."""
    offset = 0
    while page := client.request("POST", "/automations/filter", json={"offset": offset}).json():
        for found in page:
            if found["name"].startswith(PREFIX):
                yield TypeAdapter(Automation).validate_python(found)
        offset += len(page)


def is_same(present: Automation, wanted: Automation) -> bool:
    """Whether an automation does what the file says, paused or not."""

    def content(one: Automation) -> dict[str, Any]:
        return one.model_dump(mode="python", exclude={"id", "enabled"})

    return content(present) == content(wanted)


def automations(webhook: str | None) -> list[Automation]:
    """All automations of the file in the server's format."""
    return [automation(a, webhook) for a in yaml.safe_load(FILE.read_text("utf-8"))["automations"]]


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


def has_alert_address(env: Mapping[str, str]) -> bool:
    """Whether alerts are sent anywhere: by the environment, or as registered before."""
    return bool(env.get(ALERT_ADDRESS)) or _webhook(env) is not None


def _webhook(env: Mapping[str, str]) -> str | None:
    """Id of the block that alerts are sent to; None if there is no address."""
    if address := env.get(ALERT_ADDRESS):
        return str(Webhook(url=address, method="POST").save(ALERTS, overwrite=True))
    try:
        return str(cast(Webhook, Webhook.load(ALERTS))._block_document_id)
    except ValueError:
        return None
