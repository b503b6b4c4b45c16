"""Entry point of `observatory`: says what is missing where only the client is installed."""

from __future__ import annotations

import sys

NEEDED = ("babel", "great_expectations", "orjson", "prefect", "pydantic_settings", "rich", "typer")


def main() -> None:
    """Runs the command line. Exits with 2 if the extra `pipeline` is not installed.

    `observatory mcp` works without it.
    """
    try:
        from flows.cli.app import main as run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        if sys.argv[1:2] == ["mcp"]:
            from observatory import mcp_server  # noqa: PLC0415

            sys.exit(mcp_server.main(sys.argv[2:]))
        print(
            f"error: the command line needs {error.name}: "
            "pip install 'origin-observatory[pipeline]'; to read a release, `import observatory` "
            "in Python is enough",
            file=sys.stderr,
        )
        sys.exit(2)
    run()
