"""Artifacts, assets and events of a run in Prefect."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import socket
from collections import Counter
from pathlib import Path

from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.assets import Asset, AssetProperties
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.tasks import MaterializingTask

from expectations.report import Report
from flows.reports import alerts, headline
from flows.reports.text import one_line
from flows.settings import Settings
from flows.steps.publish import DOCS
from warehouse.publishing.channels import latest_manifest
from warehouse.releases.manifest import TableEntry
from warehouse.site.picture import warehouse_picture
from warehouse.storage.open import open_storage

log = logging.getLogger("observatory.prefect")

LONGEST_PLACE = 400  # characters; the key of an asset has at most 512


def create_artifacts(settings: Settings, report: Report) -> None:
    """Headline, picture of the shares, validation summary and where the Data Docs are."""
    figures = headline.headline(settings.warehouse)
    create_markdown_artifact(
        headline.markdown(figures), key="headline", description="Shares, leaders, notable models"
    )
    picture = base64.b64encode(warehouse_picture(settings.warehouse)).decode()
    create_image_artifact(
        f"data:image/png;base64,{picture}",
        key="country-shares",
        description="Share of 30-day downloads by country, with bounds",
    )
    create_table_artifact(
        validation_table(report), key="validation", description="Expectations by stage and outcome"
    )
    _create_data_docs(settings)


def _create_data_docs(settings: Settings) -> None:
    """A link to the published Data Docs; without a public address, the path on this machine."""
    key, about = "data-docs", "The result of every expectation, by table"
    if settings.public_url:
        address = f"{settings.public_url}/latest/{DOCS}/index.html"
        text = "Data Docs of the newest release"
        create_link_artifact(address, link_text=text, key=key, description=about)
    else:
        path = headline.cell(str((settings.docs / "index.html").resolve()))
        create_markdown_artifact(
            f"`{path}` on {headline.cell(socket.gethostname())}. With OBSERVATORY_PUBLIC_URL, this "
            "is a link to the published ones.",
            key=key,
            description=about,
        )


def validation_table(report: Report) -> list[dict[str, object]]:
    """One record per stage and outcome, then one per failed expectation."""
    counts = Counter((r.stage, r.outcome) for r in report.results)
    rows: list[dict[str, object]] = [
        {"stage": stage, "outcome": outcome, "expectations": n, "what": ""}
        for (stage, outcome), n in sorted(counts.items())
    ]
    for severity in ("critical", "warning"):
        rows += [
            {
                "stage": r.stage,
                "outcome": severity,
                "expectations": 1,
                "what": headline.cell(f"{r.table_name}: {r.description}"),
            }
            for r in report.failures(severity)
        ]
    return rows


def record_assets(url: str) -> None:
    """Records one asset per table of the newest release in a target, with rows and digest."""
    manifest = latest_manifest(open_storage(url))
    if manifest is None:
        return
    made = {_asset(url, table): table for table in manifest.tables}

    def tables() -> None:
        for asset, table in made.items():
            asset.add_metadata(
                {"release_id": manifest.release_id, "rows": table.rows, "sha256": table.sha256}
            )

    MaterializingTask(
        tables,
        name="published-tables",
        assets=list(made),
        materialized_by="origin-observatory",
        cache_policy=NO_CACHE,
        persist_result=False,
    )()


def _asset(url: str, table: TableEntry) -> Asset:
    about = AssetProperties(name=table.name, description=f"{table.description} {table.grain}.")
    return Asset(key=f"{asset_place(url)}/latest/{table.path}", properties=about)


def asset_place(url: str) -> str:
    """The address of a published place with characters and a length that Prefect allows in a key.

    Where that changes the address, a digest keeps it apart from others.
    """
    place = url if "://" in url else Path(url).expanduser().resolve().as_uri()
    plain = re.sub(r"(%[0-9A-F]{2})+|[^\w.~:/=+,@-]+", "-", place, flags=re.ASCII)
    if plain == place and len(place) <= LONGEST_PLACE:
        return place
    return f"{plain[:LONGEST_PLACE]}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


def send_alerts(settings: Settings) -> list[alerts.Alert]:
    """Emits each new alert as an event `observatory.<kind>`, which triggers automations."""
    noted = alerts.unsent(settings.warehouse)
    for alert in noted:
        log.warning("%s: %s", alert.kind, alert.text)
        emit_event(
            event=f"observatory.{alert.kind}",
            resource={
                "prefect.resource.id": f"observatory.alert.{alert.kind}.{one_line(alert.subject)}",
                "prefect.resource.name": one_line(alert.subject),
            },
            payload={
                "before": alert.before and one_line(alert.before),
                "after": one_line(alert.after),
                "text": one_line(alert.text),
            },
        )
    if noted:
        rows = [{"kind": a.kind, "what": headline.cell(a.text)} for a in noted]
        create_table_artifact(
            rows, key="alerts", description="Changes larger than their uncertainty"
        )
    alerts.clear(settings.warehouse)
    return noted
