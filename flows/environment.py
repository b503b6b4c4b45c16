"""The environment of a run: `.env` is loaded into it, and values are cleaned.

It is done once, before libraries such as boto3 and huggingface_hub read their variables: by the
command line, and when `flows.pipeline` is imported.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values
from pydantic import AliasChoices

from flows.credentials import TOKENS, hide_in
from flows.reports.text import printable
from flows.settings import Settings
from warehouse.contracts.source import cards
from warehouse.storage.loopback import bypass_proxies
from warehouse.storage.redact import hide, redact_logs

log = logging.getLogger("observatory.environment")

FILE = Path(".env")

# Variables that are not fields of Settings: (name, default, meaning).
OTHER_VARIABLES = (
    ("OBSERVATORY_DUCKDB_MEMORY", "1500MB",
     "Memory of DuckDB in a build or release, before it spills to disk."),
    ("OBSERVATORY_DUCKDB_THREADS", "one per core",
     "Threads of DuckDB. The bytes of a release do not depend on it."),
    ("POLARS_MAX_THREADS", "one per core", "Threads of Polars, read by Polars itself."),
    ("OBSERVATORY_DEBUG", "none", "Any value: print the traceback of an unexpected error."),
    ("OBSERVATORY_ALERT_URL", "none",
     "Address of the webhook that receives alerts (`infra.register`)."),
    ("HF_TOKEN", "none",
     "Token for the Hugging Face Hub: a higher rate limit, and publishing. Sent to that Hub only."),
    ("GITHUB_TOKEN", "none",
     "Token for GitHub's API: more than 60 requests per hour. Sent to that API only."),
    *((c.token.variable, "none", c.token.meaning) for c in cards().values() if c.token),
    ("AWS_ACCESS_KEY_ID", "none",
     "Access key for `s3://` addresses. AWS profiles and roles work too."),
    ("AWS_SECRET_ACCESS_KEY", "none", "Secret key for `s3://` addresses."),
    ("AWS_SESSION_TOKEN", "none", "Session token of temporary keys."),
    ("AWS_REGION", "that of the profile", "Region of the bucket."),
    ("AWS_ENDPOINT_URL_S3", "AWS", "Address of an S3-compatible server."),
    ("AWS_*", "none", "Any other variable of the AWS tools, such as `AWS_PROFILE`."),
    ("OBSERVATORY_S3_WITHOUT_CONDITIONS", "none",
     "`1`: publish even where an S3 server ignores conditional writes, and warn on every run. Only "
     "one publisher may write there."),
    ("HTTPS_PROXY", "none", "Proxy for `https://` addresses."),
    ("HTTP_PROXY", "none", "Proxy for `http://` addresses."),
    ("NO_PROXY", "none", "Comma-separated hosts that are reached without a proxy."),
)  # fmt: skip

# A value of `.env` is not used if the environment has one of these: they mean the same.
_OUTRANKED_BY = {
    "OBSERVATORY_HUB_URL": ("HF_ENDPOINT",),
    "HF_ENDPOINT": ("OBSERVATORY_HUB_URL",),
    "AWS_REGION": ("AWS_DEFAULT_REGION",),
    "AWS_DEFAULT_REGION": ("AWS_REGION",),
    "AWS_ENDPOINT_URL_S3": ("AWS_ENDPOINT_URL",),
    "AWS_ENDPOINT_URL": ("AWS_ENDPOINT_URL_S3",),
    "AWS_ACCESS_KEY_ID": ("AWS_PROFILE",),
    "AWS_SECRET_ACCESS_KEY": ("AWS_PROFILE",),
    "AWS_SESSION_TOKEN": ("AWS_PROFILE", "AWS_ACCESS_KEY_ID"),
    "AWS_PROFILE": ("AWS_ACCESS_KEY_ID",),
}
_CREDENTIALS = (
    *TOKENS,
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)
OURS = "OBSERVATORY_"
_PREFIXES = tuple({variable.partition("_")[0] + "_" for variable in TOKENS})
OF_TESTS = (  # read by the tests and the maker of the sample
    *("OBSERVATORY_RECORDINGS", "OBSERVATORY_CASES", "OBSERVATORY_WITH_"),
    *("OBSERVATORY_DUCKDB_OLDEST", "OBSERVATORY_DUCKDB_NEXT", "OBSERVATORY_DUCKDB_HTTPFS"),
)
_AROUND = " \t\r\n\ufeff\u200b"  # what copying and editors leave around a value


class EnvironmentFileError(ValueError):
    """`.env` cannot be read, or a variable has a value that cannot be right."""


def setting_names() -> dict[str, tuple[str, ...]]:
    """Field of Settings -> its variables, the first one first."""
    names = {}
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else ()
        upper = tuple(str(c) for c in choices if str(c).isupper())
        names[field] = upper or (f"OBSERVATORY_{field.upper()}",)
    return names


NAMES = frozenset(n for names in setting_names().values() for n in names) | {
    name for name, _, _ in OTHER_VARIABLES
}
_LISTS = frozenset(
    name
    for field, names in setting_names().items()
    if isinstance(Settings.model_fields[field].get_default(call_default_factory=True), tuple)
    for name in names
)


def prepare_environment() -> None:
    """Loads `.env`, drops empty values and cleans the others. Raises EnvironmentFileError.

    The environment takes precedence over the file. An empty variable counts as unset.
    """
    written = _read(FILE)
    for name, value in list(os.environ.items()):
        if is_known(name.upper()):
            _set(name, _cleaned(name.upper(), value))
        elif name.upper().startswith("PREFECT_") and not value.strip(_AROUND):
            _set(name, "")  # Prefect would take blanks for an address
    present = {name.upper() for name in os.environ}
    for name, value in written.items():
        rivals = (name, *_OUTRANKED_BY.get(name, ()))
        if is_known(name) and present.isdisjoint(rivals):
            _set(name, _cleaned(name, value))
    _hide_secrets()
    redact_logs(printable)
    for line in _unknown(list(os.environ), written):
        log.warning("%s", line)


def _hide_secrets() -> None:
    """Registers the secrets of the environment with `redact`."""
    for name in ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", *_CREDENTIALS):
        if name != "AWS_ACCESS_KEY_ID":  # a name, and on local servers a common word
            hide(os.environ.get(name, ""))
    for name, value in os.environ.items():
        if is_known(name.upper()) or name.upper().endswith(("_PROXY", "PREFECT_API_URL")):
            with suppress(ValueError):  # not an address
                hide_in(value)


def prepare_or_exit() -> None:
    """The same for a process without a command line: an error ends it with exit code 2."""
    try:
        prepare_environment()
        bypass_proxies()
    except EnvironmentFileError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from None


def _read(path: Path) -> dict[str, str]:
    """The values of the file by upper-case name; none if there is no file."""
    try:
        if path.is_dir():
            raise EnvironmentFileError(f"{path} is a folder; it must be a file of NAME=value lines")
        values = dotenv_values(path, encoding="utf-8-sig")
        as_written = dotenv_values(path, encoding="utf-8-sig", interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFileError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}; it must be a "
            "UTF-8 text file of NAME=value lines"
        ) from error
    values |= {n: v for n, v in as_written.items() if n.upper() in _CREDENTIALS}  # with any `${`
    return {name.upper(): value for name, value in values.items() if value is not None}


def is_known(name: str) -> bool:
    """Whether a variable is one that this program or its libraries read."""
    return name in NAMES or name.startswith("AWS_")


def _set(name: str, value: str) -> None:
    if value:
        os.environ[name] = value
    else:
        os.environ.pop(name, None)


def _cleaned(name: str, value: str) -> str:
    """A value without what surrounds it; nothing for a list without entries."""
    value = value.strip(_AROUND)
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":  # `docker --env-file`
        value = value[1:-1].strip(_AROUND)
    if name in _LISTS and not value.strip(f"{_AROUND},"):
        return ""
    strange = next((c for c in value if c == "\0" or _is_strange_in(name, c)), None)
    if strange is not None:
        raise EnvironmentFileError(
            f"{name} contains the character U+{ord(strange):04X}, which cannot be part of its "
            "value; copy the value again"
        )
    return value


def _is_strange_in(name: str, character: str) -> bool:
    return name in _CREDENTIALS and not "!" <= character <= "~"


def _unknown(environment: list[str], written: dict[str, str]) -> Iterator[str]:
    """A line for every name that looks like ours and is not read."""
    for name in environment:
        if name.upper().startswith(OURS) and not name.startswith(OF_TESTS):
            yield from _suggestion(name, "is not a setting of this program")
    for name in written.keys() - {n.upper() for n in environment}:
        if name.startswith((OURS, "POLARS_", *_PREFIXES)):
            yield from _suggestion(name, f"in {FILE} is not read from there")


def _suggestion(name: str, what: str) -> Iterator[str]:
    if is_known(name.upper()):
        return
    close = get_close_matches(name.upper(), sorted(NAMES), n=1, cutoff=0.8)
    advice = f"did you mean {close[0]}?" if close else "see docs/reference/settings.md"
    yield f"{name} {what}; {advice}"
