"""The top-level command group: reports errors, and accepts old names for one release."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

from flows.cli.errors import errors_reported
from flows.cli.output import print_notice

RUN, EXPLORE, RELEASES, ARCHIVE, REGISTRY = "Run", "Explore", "Releases", "Archive", "Registry"

# Old command -> new command.
OLD_COMMANDS = {
    "why": "trace",
    "refuse": "exclude",
    "journal": "releases log",
    **{
        name: f"releases {name}"
        for name in ("diff", "verify", "rollback", "promote", "pin", "clean")
    },
}
OLD_OPTIONS = {"--really": "--yes", "--apply": "--yes"}


class Commands(TyperGroup):
    """The commands of `observatory`."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  Typer keeps the type private
        """Runs a command; every exception becomes a message and an exit code."""
        with errors_reported():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        """Finds a command by its name or its old name."""
        return super().resolve_command(ctx, args if ctx.resilient_parsing else renamed(args))


def renamed(args: list[str]) -> list[str]:
    """The arguments with old names replaced; a notice on stderr for each of them."""
    args = [_renamed(a, OLD_OPTIONS.get(a)) for a in args]
    first, *rest = args
    if new := OLD_COMMANDS.get(first):
        return [*_renamed(first, new).split(), *rest]
    if first == "releases" and (not rest or rest[0].startswith("-")) and "--help" not in rest:
        return [*_renamed(first, "releases list").split(), *rest]
    return args


def _renamed(old: str, new: str | None) -> str:
    if new is None:
        return old
    print_notice(f"`{old}` is now `{new}`; the old name will be removed in the next release")
    return new
