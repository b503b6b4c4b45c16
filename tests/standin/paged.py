"""A listing of any size, from stored pages: generated, or from an archive."""

from __future__ import annotations

from pathlib import Path

import orjson
import zstandard

from tests.standin.hub import cursor_behind, next_url
from tests.standin.web import JSON_TYPE, Answer, Call, RecordingError, RefusalError


class PagedListing:
    """GET /api/models, page by page from the files of a folder, `000001.json.zst` onwards.

    No page is held in memory; only the cursors behind those that were looked at are.
    """

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob("*.json.zst"))
        if not self.paths:
            raise RecordingError(f"{folder} holds no page, 000001.json.zst onwards")
        self._behind: dict[str, int] = {}  # cursor -> number of the page that follows

    def answer(self, call: Call, base_url: str) -> Answer:
        """One page, with the address of the next one unless it is the last."""
        if call.value("author") or call.value("search") or call.values("filter"):
            raise RefusalError(501, "A listing of ready pages cannot be filtered")
        number = self._number(call.value("cursor"))
        body = zstandard.decompress(self.paths[number].read_bytes())
        headers = {"Content-Type": JSON_TYPE}
        if number + 1 < len(self.paths):
            cursor = self._note(number, body)
            headers["Link"] = f'<{next_url(call, base_url, cursor)}>; rel="next"'
        return Answer(200, body, headers)

    def _number(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        if cursor not in self._behind:  # issued by an earlier server
            for number, path in enumerate(self.paths[:-1]):
                self._note(number, zstandard.decompress(path.read_bytes()))
        try:
            return self._behind[cursor]
        except KeyError:
            raise RefusalError(400, "✖ Invalid cursor") from None

    def _note(self, number: int, body: bytes) -> str:
        cursor = cursor_behind(orjson.loads(body)[-1], "createdAt")
        self._behind[cursor] = number + 1
        return cursor
