"""Text from outside, made safe to show."""

from __future__ import annotations

from unicodedata import category

UNSEEN = {"Cc", "Cf", "Cs"}  # Unicode categories: control, format, surrogate


def inert(text: str) -> str:
    """The text with every character replaced that steers: escapes, turned reading directions.

    Line feeds stay: our own messages have them.
    """
    return "".join("\ufffd" if category(c) in UNSEEN and c != "\n" else c for c in text)
