"""The HTTP session of all sources: tokens and credentials go to their own host only.

huggingface_hub makes its requests with this session too. It follows `Link` headers and addresses
in responses with its token, whatever host they name.
"""

from __future__ import annotations

import logging
import os

import httpx2
from huggingface_hub import get_token, set_client_factory
from huggingface_hub.utils._http import default_client_factory

from flows.credentials import HUB, TOKENS, credentials_for, is_home

log = logging.getLogger("observatory.http")

AUTHORIZATION = "Authorization"


def _client() -> httpx2.Client:
    client = default_client_factory()
    hooks = client.event_hooks
    client.event_hooks = {
        "request": [*hooks["request"], _keep_tokens_home, _add_credentials],
        "response": [*hooks["response"], _refuse_downgrade],
    }
    return client


def _keep_tokens_home(request: httpx2.Request) -> None:
    """Removes our tokens from a request to another host."""
    sent, url = request.headers.get(AUTHORIZATION, ""), str(request.url)
    for variable in TOKENS:
        token = get_token() if variable == HUB else os.environ.get(variable)
        if token and token in sent and not is_home(variable, url):
            log.warning("%s is not sent to %s", variable, request.url.host)
            del request.headers[AUTHORIZATION]
            return


def _add_credentials(request: httpx2.Request) -> None:
    """Adds what the settings have in the address of this host."""
    found = credentials_for(str(request.url))
    if found is None:
        return
    if found.basic:
        request.headers[AUTHORIZATION] = f"Basic {found.basic}"
    request.url = request.url.copy_merge_params(dict(found.query)) if found.query else request.url


def _refuse_downgrade(response: httpx2.Response) -> None:
    """Raises UnsupportedProtocol for a redirect from https to http."""
    there = response.headers.get("location", "").strip().lower()
    if response.is_redirect and response.url.scheme == "https" and there.startswith("http:"):
        raise httpx2.UnsupportedProtocol("the server redirects from https to http")


set_client_factory(_client)
