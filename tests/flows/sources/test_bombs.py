"""What unpacks to more than it should is refused before it fills the memory."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from flows.settings import Settings
from flows.sources.formats.zips import MAX_MEMBERS, DamagedZipError, open_zip


def packed(*names: str, data: bytes = b"x", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as bundle:
        for name in names:
            bundle.writestr(name, data)
    return whole.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (packed("a.csv", data=bytes(8 << 20)), "a.csv' unpacks from .* the limit is 500"),
        (packed(*(f"{n}.csv" for n in range(MAX_MEMBERS + 1))), "members; the limit is 10,000"),
        (packed("../a.csv"), "path outside the zip"),
        (packed("a" * 2000), "the limit is 1,000"),
        (packed("a.csv", method=zipfile.ZIP_BZIP2), "a.csv' is packed by method 12"),
        (packed("a.csv", method=zipfile.ZIP_LZMA), "a.csv' is packed by method 14"),
    ],
    ids=["ratio", "members", "escape", "name", "bz2", "lzma"],
)
def test_a_zip_beyond_a_limit_is_refused_with_the_limit(data: bytes, says: str) -> None:
    with pytest.raises(DamagedZipError, match=says), open_zip(data):
        pass


def test_a_member_that_is_larger_than_the_directory_says_is_refused() -> None:
    data = bytearray(packed("a.csv", data=bytes(1 << 20)))
    at = data.find(b"PK\1\2") + 24
    data[at : at + 4] = (100).to_bytes(4, "little")
    with pytest.raises(DamagedZipError), open_zip(bytes(data)):
        pass


def test_a_body_that_unpacks_to_too_much_is_refused_with_the_limits() -> None:
    from flows.sources.http import SourceError, get
    from tests.support.bombs import serving

    with serving(gzip.compress(bytes(64 << 20))) as url, pytest.raises(SourceError) as failed:
        get("epoch", url, Settings(http_first_wait_seconds=0.01))
    assert "epoch: the response has more than" in str(failed.value)
    assert "500 times what is sent" in str(failed.value)


def test_a_packed_body_of_usual_size_is_read() -> None:
    from flows.sources.http import get
    from tests.support.bombs import serving

    with serving(gzip.compress(b"a,b\n" * 1000)) as url:
        assert get("epoch", url, Settings()).content == b"a,b\n" * 1000
