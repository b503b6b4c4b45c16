"""What libraries read from the environment of a command, and what in it cannot work."""

from __future__ import annotations

import os
from importlib.util import find_spec
from urllib.parse import urlsplit
from urllib.request import getproxies

from warehouse.storage.loopback import bypass_proxies

# Prefect and the Hub client read these when they are imported; both would contact their servers.
QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # errors are reported by this program
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


class EnvironmentFaultError(RuntimeError):
    """A variable of the environment cannot work. Says which one, and what to do."""


def quiet_libraries() -> None:
    """Sets what libraries read from the environment, before they are imported."""
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    bypass_proxies()


def require_usable_proxies() -> None:
    """Raises EnvironmentFaultError if a proxy variable would make every HTTP client fail."""
    if problem := proxy_problem():
        raise EnvironmentFaultError(problem)


def proxy_problem() -> str | None:
    """What is wrong with the first unusable proxy variable; None if all can be used."""
    for kind, address in getproxies().items():
        if kind not in ("http", "https", "all"):
            continue
        scheme = urlsplit(address if "://" in address else f"http://{address}").scheme
        name = f"{kind.upper()}_PROXY"
        if scheme not in PROXY_SCHEMES:
            return f"{name}: {scheme}:// is no kind of proxy that can be used; use http://host:port"
        if scheme.startswith("socks") and find_spec("socksio") is None:
            return (
                f"{name}: a {scheme}:// proxy needs the package socksio; install it "
                f"(pip install socksio), give an http:// proxy, or unset {name}"
            )
    return None
