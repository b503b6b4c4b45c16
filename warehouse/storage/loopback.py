"""Servers on this machine are never asked through a proxy."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from urllib.request import getproxies

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def bypass_proxies(environment: MutableMapping[str, str] = os.environ) -> None:
    """If there is a proxy, exempts this machine from it, for all HTTP clients of this process.

    A proxy cannot reach a server on our loopback. Both spellings of NO_PROXY are set, since
    clients prefer different ones.
    """
    given = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    if "*" in hosts or not getproxies().keys() - {"no"}:
        return
    exempt = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])
    environment["no_proxy"] = environment["NO_PROXY"] = exempt
