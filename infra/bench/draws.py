"""Random draws that depend on nothing but what they are drawn for.

Every number of the generated Hub is a function of the seed, a purpose and a model's index (and a
day), never of the draws before it: any day, any page and any model can be made on its own.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Indexes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Draws:
    """Draws of one seed. The mixing function is splitmix64 (Steele, Lea, Flood, 2014)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def bits(self, purpose: str, index: Indexes, day: int = 0) -> Bits:
        """64 random bits for each index."""
        named = f"{self.seed}/{purpose}/{day}".encode()
        salt = np.uint64(int.from_bytes(hashlib.blake2b(named, digest_size=8).digest(), "big"))
        with np.errstate(over="ignore"):
            x = (index.astype(np.uint64) + np.uint64(1)) * _GOLDEN + salt
            x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(x ^ (x >> np.uint64(31)))

    def unit(self, purpose: str, index: Indexes, day: int = 0) -> Floats:
        """A number in [0, 1) for each index."""
        return np.asarray((self.bits(purpose, index, day) >> np.uint64(11)) * 2.0**-53)

    def below(self, purpose: str, index: Indexes, limit: int | Indexes) -> Indexes:
        """A whole number in [0, limit) for each index."""
        return (self.unit(purpose, index) * limit).astype(np.int64)
