"""Releases of the Origin Observatory, for analysts.

    import observatory

    release = observatory.open("https://example.org/observatory")
    release.share("CN")
    release.sql("SELECT * FROM mart.claims LIMIT 5")

Only the tables that a question needs are downloaded, once: they are cached by their SHA-256.
"""

from observatory.places import PlaceError
from observatory.release import Release, open

__all__ = ["PlaceError", "Release", "open"]
