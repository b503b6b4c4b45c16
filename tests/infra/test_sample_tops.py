"""How deep a selection from a recording is a list of the first models."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from infra.sample.tops import COUNTERS, held_tops, recorded_tops
from tests.support.frames import PROPERTY

LIKED = [{"id": f"l/{n}", "likes": 1000 - n, "downloads": 7 * n % 400} for n in range(300)]
LOADED = [{"id": f"d/{n}", "likes": 5, "downloads": 500 - n} for n in range(250)]
LISTING = pl.DataFrame([*LIKED, *LOADED])


def test_a_recording_is_as_deep_as_its_two_lists() -> None:
    last = min(m["downloads"] for m in LOADED)
    also = sum(m["downloads"] >= last for m in LIKED)
    assert recorded_tops(LISTING) == {"likes": 300, "downloads_30d": len(LOADED) + also}


@PROPERTY
@given(st.sets(st.integers(0, LISTING.height - 1), max_size=20))
def test_a_selection_lacks_no_model_down_to_its_depth(left_out: set[int]) -> None:
    chosen = LISTING.filter(~pl.int_range(pl.len()).is_in(list(left_out)))["id"]
    depths, kept = held_tops(LISTING, chosen), set(chosen)
    for name, key in COUNTERS.items():
        depth = depths.get(name, 0)
        counts = LISTING.sort(key, descending=True)[key]
        lost = LISTING.filter(~pl.col("id").is_in(list(kept)))[key]
        if depth:
            assert (lost <= counts[depth - 1]).all()
        assert depth <= recorded_tops(LISTING)[name]
    assert left_out or depths == recorded_tops(LISTING)
