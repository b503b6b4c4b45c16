"""Settings of a run: environment, `.env`, and what the command line overrides."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from warehouse.contracts.source import card, observed_sources
from warehouse.storage.open import open_storage
from warehouse.storage.protocol import StorageError

ALL_SOURCES = observed_sources()
OPTIONAL_SOURCES = tuple(s for s in ALL_SOURCES if card(s).is_optional)
DEFAULT_SOURCES = tuple(s for s in ALL_SOURCES if s not in OPTIONAL_SOURCES)


class Settings(BaseSettings):
    """Where things are and whom to ask.

    Credentials are not here: AWS chain, HF_TOKEN, GITHUB_TOKEN.
    """

    model_config = SettingsConfigDict(
        env_prefix="OBSERVATORY_", env_file=".env", extra="ignore", populate_by_name=True
    )

    archive: Path = Path("data/archive")
    warehouse: Path = Path("data/observatory.duckdb")
    docs: Path = Path("data/validation")  # Great Expectations' Data Docs of the last build
    history: Path = Path("data/history")  # counters of every Hub snapshot, made from the archive
    archive_copy: str | None = None  # where a run restores the archive from and backs it up to
    backfills: Path = Path("warehouse/backfills.yml")  # the record of backfills
    publish_to: Annotated[tuple[str, ...], NoDecode] = ("data/published",)
    publisher: str | None = None  # who moves pointers, for their journal
    sources: Annotated[tuple[str, ...], NoDecode] = DEFAULT_SOURCES

    hub_url: str = Field(
        "https://huggingface.co",
        validation_alias=AliasChoices("OBSERVATORY_HUB_URL", "HF_ENDPOINT", "hub_url"),
    )
    hub_page_rows: int = Field(1000, ge=1, le=1000)
    # An operator's budget: other work may hang on the same token.
    hub_requests_per_5_minutes: int | None = Field(None, ge=1)
    hub_quota_share: float = Field(1, gt=0, le=1)  # of the quota that the Hub's answers name
    hub_max_minutes: float | None = Field(None, gt=0)  # of one run; the next one goes on
    space_pickles: bool = False  # 459 MB, read without executing; once, outside the schedule
    github_api_url: str = "https://api.github.com"
    github_raw_url: str = "https://raw.githubusercontent.com"
    epoch_url: str = "https://epoch.ai"
    ai_index_url: str | None = None  # template with {edition}; default: the source card's
    ai_index_files: Path | None = None  # folder with <edition>.zip or <edition>/ laid down by hand
    http_timeout_seconds: float = Field(60, gt=0)
    http_first_wait_seconds: float = Field(1, ge=0)  # before the second try; doubles, up to 8 times

    @field_validator("sources", "publish_to", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(v.strip() for v in value.split(",") if v.strip())
        return value

    @field_validator("sources")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(value) - set(ALL_SOURCES))
        if unknown or not value:
            raise ValueError(f"unknown sources {unknown}; choose from {', '.join(ALL_SOURCES)}")
        return tuple(s for s in ALL_SOURCES if s in value)

    @field_validator("publish_to")
    @classmethod
    def _places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            try:
                open_storage(url)
            except StorageError as error:
                raise ValueError(str(error)) from error
        return value

    @field_validator("archive", "warehouse")
    @classmethod
    def _kind(cls, value: Path, info: ValidationInfo) -> Path:
        wants_folder = info.field_name == "archive"
        if value.exists() and value.is_dir() != wants_folder:
            is_, not_ = ("file", "folder") if wants_folder else ("folder", "file")
            raise ValueError(f"{value} is a {is_}, not a {not_}")
        return value

    @field_validator("hub_url", "epoch_url", "github_api_url", "github_raw_url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/")

    def signature(self, audience: str | None) -> str | None:
        """Who moves a pointer: `publisher`, else user@host; none of the latter in open places."""
        if self.publisher or audience != "internal":
            return self.publisher
        try:
            return f"{getpass.getuser()}@{socket.gethostname()}"
        except (KeyError, OSError):  # a container whose user has no name
            return socket.gethostname()
