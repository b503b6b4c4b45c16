"""Hugging Face Hub: one address asked, at our pace, without the columns that the Hub refuses."""

from __future__ import annotations

import logging

import httpx2
from huggingface_hub import HfApi

from flows.settings import Settings
from flows.sources.http import SourceError, get
from flows.sources.hub.columns import REFUSED, find_refused, optional, without
from flows.sources.hub.rate_limit import Pace

log = logging.getLogger("observatory.hub")


class Asker:
    """Asks for the pages of a run. `left_out`: the optional columns that were refused so far."""

    def __init__(self, source: str, settings: Settings) -> None:
        self.source, self.settings = source, settings
        self.pace = Pace(source, settings)
        self.headers = HfApi(endpoint=settings.hub_url)._build_hf_headers()
        self.left_out: list[str] = []

    def answer(self, url: str) -> httpx2.Response:
        """The answer to an address; without the optional columns that the Hub refuses."""
        try:
            return self._get(without(url, self.left_out))
        except SourceError as error:
            if error.status != REFUSED:
                raise
            names = [name for name in optional(self.source) if name not in self.left_out]
            refused = find_refused(url, error, names, self._is_taken)
        log.warning("%s: the Hub refuses the columns %s: left out", self.source, refused)
        self.left_out += refused
        return self._get(without(url, self.left_out))

    def _is_taken(self, url: str) -> bool:
        try:
            self._get(without(url, self.left_out))
        except SourceError as error:
            if error.status != REFUSED:
                raise
            return False
        return True

    def _get(self, url: str) -> httpx2.Response:
        self.pace.wait(url)
        answer = get(
            self.source,
            url,
            timeout=self.settings.http_timeout_seconds,
            headers=self.headers,
            first_wait=self.settings.http_first_wait_seconds,
            deadline=self.pace.deadline,
        )
        self.pace.heed(answer.headers)
        return answer
