"""Writes the pages of command line, settings and sources: `python -m infra.reference`.

The pages are made from the commands, the settings and the source cards. A test fails if the
committed pages differ from what this writes.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from typer.main import get_command

from flows.cli.app import app
from flows.cli.errors import DEBUG
from flows.cli.groups import OLD_COMMANDS, OLD_OPTIONS
from flows.settings import Settings
from infra.register import ALERT_ADDRESS
from warehouse.contracts.source import sources_table
from warehouse.database.duckdb_file import MEMORY_LIMIT, THREADS

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTE = "<!-- Written by `make docs-reference`. Do not edit. -->"

# Variables that are not fields of Settings: (name, default, meaning).
OTHER_VARIABLES = (
    (MEMORY_LIMIT, "1500MB", "Memory of DuckDB in a build or release, before it spills to disk."),
    (THREADS, "one per core", "Threads of DuckDB. The bytes of a release do not depend on it."),
    ("POLARS_MAX_THREADS", "one per core", "Threads of Polars, read by Polars itself."),
    (DEBUG, "none", "Any value: print the traceback of an unexpected error."),
    (ALERT_ADDRESS, "none", "Address of the webhook that receives alerts (`infra.register`)."),
    ("HF_TOKEN", "none", "Token for the Hugging Face Hub: a higher rate limit, and publishing."),
    ("GITHUB_TOKEN", "none", "Token for GitHub's API: more than 60 requests per hour."),
    ("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...", "none", "Credentials for `s3://` addresses, "
     "as in every AWS tool."),
    ("AWS_ENDPOINT_URL_S3", "AWS", "Address of an S3-compatible server."),
)  # fmt: skip


def command_line() -> str:
    """The page of the command line: every command with its arguments and options."""
    root = get_command(app)
    parts = ["# Command line", NOTE, _text(root.help)]
    panels: dict[str, list[tuple[str, Any]]] = {}
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        panels.setdefault(command.rich_help_panel, []).append((name, command))
    for panel, commands in panels.items():
        parts.append(f"## {panel}")
        for name, command in commands:
            parts += _command(f"observatory {name}", command)
    return "\n\n".join([*parts, *_old_names()]) + "\n"


def _command(name: str, command: Any) -> Iterator[str]:  # noqa: ANN401  Typer keeps the types private
    yield f"### {name}"
    yield _text(command.help)
    if commands := getattr(command, "commands", None):
        for child, about in commands.items():
            yield from (p.replace("### ", "#### ") for p in _command(f"{name} {child}", about))
        return
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([name, *map(_usage, arguments), "[OPTIONS]"])
    yield f"```text\n{usage}\n```"
    if rows := [_parameter(p) for p in command.params]:
        yield _table(("Argument or option", "Meaning"), rows)


def _usage(argument: Any) -> str:  # noqa: ANN401
    name = str(argument.metavar or argument.name.upper())
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _parameter(parameter: Any) -> tuple[str, str]:  # noqa: ANN401
    if parameter.param_type_name == "argument":
        return f"`{_usage(parameter)}`", parameter.help or ""
    value = f" {parameter.metavar}" if parameter.metavar else ""
    default = parameter.default
    note = (
        "" if default in (None, False, "") else f" Default: {getattr(default, 'value', default)}."
    )
    return f"`{parameter.opts[0]}{value}`", (parameter.help or "") + note


def _old_names() -> Iterator[str]:
    yield "## Old names"
    yield "These work until the next release, with a notice on stderr."
    new = {**OLD_COMMANDS, **OLD_OPTIONS}
    yield _table(("Old", "New"), [(f"`{a}`", f"`{b}`") for a, b in new.items()])


def settings() -> str:
    """The page of the settings: every environment variable, its default and meaning."""
    rows = [_setting(name, field) for name, field in Settings.model_fields.items()]
    others = [(f"`{name}`", default, meaning) for name, default, meaning in OTHER_VARIABLES]
    header = ("Variable", "Default", "Meaning")
    parts = [
        "# Settings",
        NOTE,
        "Settings are environment variables. They can also be lines of the file `.env` in the "
        "current folder. Options of the command line take precedence over both.",
        _table(header, rows),
        "## Other variables",
        "These are read from the environment only, not from `.env`.",
        _table(header, others),
    ]
    return "\n\n".join(parts) + "\n"


def _setting(name: str, field: FieldInfo) -> tuple[str, str, str]:
    alias = field.validation_alias
    names = [f"OBSERVATORY_{name.upper()}"]
    if isinstance(alias, AliasChoices):
        names = [str(c) for c in alias.choices if str(c).isupper()]
    return " or ".join(f"`{n}`" for n in names), _default(field.default), field.description or ""


def _default(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{', '.join(value) if isinstance(value, tuple) else value}`"


def _text(help_text: str | None) -> str:
    return inspect.cleandoc(help_text or "").strip()


def _table(header: tuple[str, ...], rows: list[Any]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in lines)


def sources() -> str:
    """The page of the sources: the table of their cards."""
    return f"# Table of sources\n\n{NOTE}\n\n{sources_table()}"


PAGES = {"command-line.md": command_line, "settings.md": settings, "sources.md": sources}


def write(folder: Path = FOLDER) -> None:
    """Writes all pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
    sys.stdout.write(f"written: {', '.join(PAGES)} in {FOLDER.name}/\n")
