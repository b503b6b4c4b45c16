"""Hugging Face Hub: one request at our pace, without the columns that the Hub rejects."""

from __future__ import annotations

import logging

import httpx2

from flows.settings import Settings
from flows.sources.hf_repository import hub_api
from flows.sources.http import SourceError, get
from flows.sources.hub.columns import BAD_REQUEST, find_rejected, optional, without
from flows.sources.hub.rate_limit import Pace

log = logging.getLogger("observatory.hub")


class HubClient:
    """Requests the pages of a run. `left_out`: the optional columns that were rejected so far."""

    def __init__(self, source: str, settings: Settings) -> None:
        self.source, self.settings = source, settings
        self.pace = Pace(source, settings)
        self.headers = hub_api(settings.hub_url)._build_hf_headers()
        self.left_out: list[str] = []

    def get(self, url: str) -> httpx2.Response:
        """The response to an address, without the optional columns that the Hub rejects."""
        try:
            return self._get(without(url, self.left_out))
        except SourceError as error:
            if error.status != BAD_REQUEST:
                raise
            names = [name for name in optional(self.source) if name not in self.left_out]
            rejected = find_rejected(url, error, names, self._is_accepted)
        log.warning("%s: the Hub rejects the columns %s; left out", self.source, rejected)
        self.left_out += rejected
        return self._get(without(url, self.left_out))

    def _is_accepted(self, url: str) -> bool:
        try:
            self._get(without(url, self.left_out))
        except SourceError as error:
            if error.status != BAD_REQUEST:
                raise
            return False
        return True

    def _get(self, url: str) -> httpx2.Response:
        self.pace.wait(url)
        response = get(
            self.source,
            url,
            self.settings,
            headers=self.headers,
            deadline=self.pace.deadline,
        )
        self.pace.update(response.headers)
        return response
