"""Writes the reference pages: `python -m infra.reference`.

The pages are made from the commands, the settings, the source cards and the expectations. A test
fails if the committed pages differ from what this writes.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from typer.main import get_command

from expectations.rule import Rule
from expectations.rules import rules_for
from flows.cli.app import app
from flows.cli.groups import OLD_COMMANDS, OLD_OPTIONS
from flows.environment import OTHER_VARIABLES, setting_names
from flows.settings import DEFAULT_SOURCES, Settings
from flows.source_addresses import ADDRESS_FIELDS
from warehouse.contracts.source import sources_table
from warehouse.contracts.table import Contract, contracts

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTE = "<!-- Written by `make docs-reference`. Do not edit. -->"


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
    commands = getattr(command, "commands", None)
    if not commands or command.invoke_without_command:  # a group that is a command too
        yield from _call(name, command)
    for child, about in (commands or {}).items():
        yield from (p.replace("### ", "#### ") for p in _command(f"{name} {child}", about))


def _call(name: str, command: Any) -> Iterator[str]:  # noqa: ANN401
    """How a command is called, and its options."""
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
    fields = Settings.model_fields.items()
    ordered = sorted(fields, key=lambda item: item[0] in ADDRESS_FIELDS.values())
    rows = [_setting(name, field) for name, field in ordered]
    others = [(f"`{name}`", default, meaning) for name, default, meaning in OTHER_VARIABLES]
    header = ("Variable", "Default", "Meaning")
    parts = [
        "# Settings",
        NOTE,
        "Settings are environment variables. They can also be lines of the file `.env` in the "
        "current folder, this page's other variables included. The environment takes precedence "
        "over `.env`, and options of the command line over both. An empty variable counts as "
        "unset.",
        _table(header, rows),
        "## Other variables",
        _table(header, others),
    ]
    return "\n\n".join(parts) + "\n"


def _setting(name: str, field: FieldInfo) -> tuple[str, str, str]:
    names = setting_names()[name]
    default = DEFAULT_SOURCES if name == "sources" else field.default  # whatever tokens are set
    return " or ".join(f"`{n}`" for n in names), _default(default), field.description or ""


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


def expectations() -> str:
    """The page of the expectations: what stops a release, and what is reported."""
    rules = [(each, rule) for each in contracts().values() for rule in rules_for(each)]
    header = ("Table", "Sources in its contract", "Expectation", "What holds")
    parts = [
        "# Expectations",
        NOTE,
        "A critical expectation that fails stops the build, so nothing is published. A warning is "
        "reported. [Sources](../sources.md#what-stops-a-release) says why, and how to continue.",
        "Critical are also the promises of every contract: the columns, their types and order, the "
        "least number of rows, the key, columns that are never null, values, ranges and "
        "references.",
    ]
    for title, severity in (("Critical", "critical"), ("Warnings", "warning")):
        rows = [_expectation(*pair) for pair in rules if pair[1].severity == severity]
        parts += [f"## {title}", _table(header, rows)]
    return "\n\n".join(parts) + "\n"


def _expectation(table: Contract, rule: Rule) -> tuple[str, str, str, str]:
    named = ", ".join(f"`{source}`" for source in table.license_inputs)
    return f"`{table.table}`", named, f"`{rule.name}`", rule.description


PAGES = {
    "command-line.md": command_line,
    "settings.md": settings,
    "sources.md": sources,
    "expectations.md": expectations,
}


def write(folder: Path = FOLDER) -> None:
    """Writes all pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
    sys.stdout.write(f"written: {', '.join(PAGES)} in {FOLDER.name}/\n")
