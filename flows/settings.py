"""Settings of a run, from the environment; the command line overrides them.

`flows/environment.py` loads `.env` into the environment first.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from flows import defaults
from flows.credentials import GITHUB, HUB, separate, set_home
from flows.source_addresses import ADDRESS_FIELDS, SourceAddresses
from warehouse.contracts.source import card, cards
from warehouse.contracts.source_order import observed_sources
from warehouse.database.usable_paths import require_usable, require_usable_temporary_folder
from warehouse.storage.local import LocalStorage
from warehouse.storage.open import open_storage
from warehouse.storage.protocol import StorageError

ALL_SOURCES = observed_sources()
# Used if no source is named. A source that requires a token is added when its token is set.
DEFAULT_SOURCES = tuple(
    s for s in ALL_SOURCES if not card(s).is_optional and not card(s).required_token
)
PATHS = ("archive", "warehouse", "docs", "history", "backfills", "ai_index_files")
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:/+")  # a path loses the second slash


def default_sources() -> tuple[str, ...]:
    """The sources of a run that names none: DEFAULT_SOURCES, and those whose token is set."""
    with_token = {
        c.id
        for c in cards().values()
        if not c.is_optional and os.environ.get(c.required_token or "")
    }
    return tuple(s for s in ALL_SOURCES if s in DEFAULT_SOURCES or s in with_token)


class Settings(SourceAddresses):
    """Paths, published places, and the sources with their addresses and limits.

    The source cards add the addresses of their sources (`flows/source_addresses.py`). Credentials
    are not settings: they come from the variables of `flows.credentials.TOKENS` and the AWS chain.
    """

    model_config = SettingsConfigDict(
        env_prefix="OBSERVATORY_",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,  # it may be a secret
        validate_default=True,  # relative paths are below the current folder
    )

    archive: Path = Field(defaults.ARCHIVE, description="Archive folder.")
    warehouse: Path = Field(defaults.WAREHOUSE, description="DuckDB file that a build writes.")
    docs: Path = Field(
        Path("data/validation"),
        description="Folder of Great Expectations' Data Docs of the last build.",
    )
    history: Path = Field(
        defaults.HISTORY,
        description="Folder of the Hub history, which is derived from the archive.",
    )
    archive_copy: str | None = Field(
        None,
        description="Folder or s3:// address that releases restore the archive from and every "
        "observation is backed up to. For workers without a permanent disk.",
    )
    backfills: Path = Field(
        Path("data/backfills.yml"), description="File in which every backfill is recorded."
    )
    publish_to: Annotated[tuple[str, ...], NoDecode] = Field(
        defaults.PUBLISH_TO,
        description="Published places: comma-separated folders and s3:// addresses.",
    )
    public_url: str | None = Field(
        None,
        description="Web address at which readers find the first published place. The pages then "
        "state their addresses, the catalog knows where its files are, and there is a site map.",
    )
    publisher: str | None = Field(
        None,
        description="Name recorded in the release log. Default: user@host in internal places, "
        "none in public ones.",
    )
    sources: Annotated[tuple[str, ...], NoDecode] = Field(
        default_factory=default_sources,
        description="Comma-separated list of the sources to use. Default: these, and each source "
        "that requires a token if its token is set.",
    )

    hub_url: str = Field(
        "https://huggingface.co",
        validation_alias=AliasChoices("OBSERVATORY_HUB_URL", "HF_ENDPOINT", "hub_url"),
        description="Address of the Hugging Face Hub.",
    )
    hub_page_rows: int = Field(1000, ge=1, le=1000, description="Models per page of a Hub listing.")
    hub_requests_per_5_minutes: int | None = Field(
        None,
        ge=1,
        description="Limit on requests to the Hub, if other programs use the same token.",
    )
    hub_quota_share: float = Field(
        1, gt=0, le=1, description="Part of the Hub's rate limit to use, 0 to 1."
    )
    hub_max_minutes: float | None = Field(
        None,
        gt=0,
        description="Longest duration of one observation of the Hub. The next run continues it.",
    )
    space_pickles: bool = Field(
        False,
        description="Also read the pickles of LMArena's frozen Space (459 MB, needed once). "
        "Nothing in them is executed.",
    )
    github_api_url: str = Field("https://api.github.com", description="Address of GitHub's API.")
    github_raw_url: str = Field(
        "https://raw.githubusercontent.com", description="Address of raw files on GitHub."
    )
    ai_index_url: str | None = Field(
        None,
        description="Address of an AI Index edition as a zip, with {edition} in it. "
        "Default: the one in the source card.",
    )
    ai_index_files: Path | None = Field(
        None,
        description="Folder with AI Index editions placed by hand, as EDITION.zip or EDITION/. "
        "The 2025 edition has no public address.",
    )
    http_timeout_seconds: float = Field(60, gt=0, description="Timeout of one HTTP request.")
    http_first_wait_seconds: float = Field(
        1,
        ge=0,
        description="Wait before the first retry. It doubles with each retry, up to 8 times.",
    )

    @field_validator("sources", "publish_to", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if isinstance(value, str):
            if value.lstrip().startswith("["):
                raise ValueError("is not a comma-separated list; leave out brackets and quotes")
            return tuple(v.strip() for v in value.split(",") if v.strip())
        return value

    @field_validator(*PATHS, mode="before")
    @classmethod
    def _local(cls, value: object) -> object:
        if isinstance(value, str | Path) and (scheme := ADDRESS.match(str(value))):
            raise ValueError(
                f"{scheme[0]}… is an address; this must be on a local disk (see "
                "OBSERVATORY_ARCHIVE_COPY and OBSERVATORY_PUBLISH_TO for addresses)"
            )
        return value

    @field_validator("sources")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(value) - set(ALL_SOURCES))
        if unknown or not value:
            problem = f"unknown sources: {', '.join(unknown)}" if unknown else "no source given"
            raise ValueError(f"{problem}; choose from {', '.join(ALL_SOURCES)}")
        return tuple(s for s in ALL_SOURCES if s in value)

    @field_validator("publish_to")
    @classmethod
    def _places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("no place given; use a folder or s3://bucket/prefix")
        return tuple(_storage(url) for url in dict.fromkeys(value))

    @field_validator("archive_copy")
    @classmethod
    def _copy(cls, value: str | None) -> str | None:
        return value if not value or value.startswith("s3://") else _storage(value)

    @field_validator("archive", "warehouse", "history", "docs", "backfills")
    @classmethod
    def _usable(cls, value: Path, info: ValidationInfo) -> Path:
        require_usable_temporary_folder()
        without = {"archive": "?", "history": "?", "warehouse": "?$"}
        return require_usable(value, without=without.get(str(info.field_name), ""))

    @field_validator("archive", "warehouse")
    @classmethod
    def _kind(cls, value: Path, info: ValidationInfo) -> Path:
        wants_folder = info.field_name == "archive"
        if value.exists() and value.is_dir() != wants_folder:
            is_, not_ = ("file", "folder") if wants_folder else ("folder", "file")
            raise ValueError(f"{value} is a {is_}, not a {not_}")
        return value

    @field_validator(
        *("hub_url", "github_api_url", "github_raw_url", "ai_index_url", *ADDRESS_FIELDS.values())
    )
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        return separate(value) if value else None

    @field_validator("public_url")
    @classmethod
    def _for_readers(cls, value: str | None) -> str | None:
        """It is printed on every page, so it must not have credentials."""
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or set("@?#") & set(value):
            raise ValueError(
                "is not an address such as https://example.org/observatory, without a user, "
                "a query and a fragment"
            )
        return value.rstrip("/")

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401  as in pydantic
        """Allows tokens to be sent to the configured hosts."""
        set_home(HUB, self.hub_url)
        set_home(GITHUB, self.github_api_url)
        for source in ADDRESS_FIELDS:
            if token := card(source).token:
                set_home(token.variable, self.address(source))

    def address(self, source: str) -> str:
        """The address of a source whose card has one, without a slash at its end."""
        return str(getattr(self, ADDRESS_FIELDS[source]))

    @property
    def archived_sources(self) -> tuple[str, ...]:
        """The sources to build from: all that the archive has, or those that were named.

        An optional source is observed only when it is named; what was archived of it is used.
        """
        return self.sources if "sources" in self.model_fields_set else ALL_SOURCES

    def signature(self, audience: str | None) -> str | None:
        """The name for the release log: `publisher`, or user@host except in public places."""
        if self.publisher or audience != "internal":
            return self.publisher
        try:
            return f"{getpass.getuser()}@{socket.gethostname()}"
        except (KeyError, OSError):  # a container whose user id has no name
            return socket.gethostname()


def _storage(url: str) -> str:
    """The address of a place. Raises ValueError if it is not one, or a folder of no use."""
    try:
        storage = open_storage(url)
    except StorageError as error:
        raise ValueError(str(error)) from error
    if isinstance(storage, LocalStorage):
        require_usable(storage.root)
    return url


def today() -> date:
    """Today in UTC, the default date of a run."""
    return datetime.now(UTC).date()
