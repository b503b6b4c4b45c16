"""Damage to one value, key or item of a JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from tests.fuzz.values import FRAGMENTS, TEXTS

_MARK = "@@fuzz@@"


def _load(data: bytes) -> Any:
    return json.loads(data)


def _dump(document: Any, fragment: str | None = None, ascii_only: bool = True) -> bytes:
    text = json.dumps(document, ensure_ascii=ascii_only)
    text = text if fragment is None else text.replace(f'"{_MARK}"', fragment)
    return text.encode("utf-8", "surrogatepass")


def _nodes(document: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Every container with a key of it, down to a depth."""
    keys = list(document) if isinstance(document, dict) else range(len(document))
    for key in keys:
        yield document, key
        if isinstance(document[key], dict | list) and depth < 5:
            yield from _nodes(document[key], depth + 1)


def _some(rng: Random, document: Any) -> tuple[Any, Any]:
    """A value of the document, those in deep containers as likely as others."""
    found = list(_nodes(document))
    if rng.random() < 0.6:  # a value of a record rather than an element of a list within it
        found = [f for f in found if isinstance(f[0], dict)] or found
    return rng.choice(found)


def _touched(document: Any, container: Any) -> int | None:
    """One record, if the value is within one; else unknown."""
    records = document if isinstance(document, list) else None
    return 1 if records is not None and container is not records else None


def json_value(rng: Random, data: bytes) -> tuple[Any, ...]:
    document = _load(data)
    container, key = _some(rng, document)
    is_fragment = rng.random() < 0.6
    fragment = rng.choice(FRAGMENTS) if is_fragment else json.dumps(rng.choice(TEXTS))
    container[key] = _MARK
    touched = _touched(document, container)
    is_cell = touched == 1 and container in document
    try:
        value = json.loads(fragment, strict=False)
    except (ValueError, RecursionError):
        value, is_cell, touched = None, False, None
    return _dump(document, fragment), f"{key!r:.30} = {fragment:.40}", touched, value, is_cell


def json_without(rng: Random, data: bytes) -> tuple[Any, ...]:
    document = _load(data)
    container, key = _some(rng, document)
    touched = _touched(document, container)
    del container[key]
    return _dump(document), f"{key!r:.30}", touched


def json_renamed(rng: Random, data: bytes) -> tuple[Any, ...]:
    document = _load(data)
    container, key = _some(rng, document)
    if isinstance(container, dict):
        container[rng.choice(("x", "id", str(key).upper(), "\0", "a" * 5000))] = container.pop(key)
    return _dump(document), f"{key!r:.30}", _touched(document, container)


def json_repeated_key(rng: Random, data: bytes) -> tuple[Any, ...]:
    document = _load(data)
    container, key = _some(rng, document)
    if not isinstance(container, dict):
        return data, ""
    value = container[key]
    again = json.dumps(rng.choice((None, "other", 7, value)))
    container[key] = _MARK
    both = f"{json.dumps(value)}, {json.dumps(key)}: {again}"
    return _dump(document, both), f"{key!r:.30} again as {again:.30}", _touched(document, container)


def json_repeated_item(rng: Random, data: bytes) -> tuple[Any, ...]:
    document = _load(data)
    lists = [c for c, _ in _nodes([document]) if isinstance(c, list) and c]
    chosen = rng.choice(lists)
    chosen.append(rng.choice(chosen))
    return _dump(document), f"in a list of {len(chosen) - 1}", None


def json_not_utf8(rng: Random, data: bytes) -> tuple[Any, ...]:
    return _raw_text(
        rng, data, (b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\x80abc", b"\xf4\x90\x80\x80")
    )


def json_raw_control(rng: Random, data: bytes) -> tuple[Any, ...]:
    return _raw_text(rng, data, (b"a\nb", b"a\0b", b"a\x1b[2Jb", b"a\tb", b"a\x01b"))


def _raw_text(rng: Random, data: bytes, texts: tuple[bytes, ...]) -> tuple[Any, ...]:
    """Bytes within quotes that no text in JSON may have."""
    document = _load(data)
    container, key = _some(rng, document)
    container[key], text = _MARK, rng.choice(texts)
    raw = _dump(document).replace(f'"{_MARK}"'.encode(), b'"' + text + b'"')
    return raw, f"{key!r:.30} = {text!r}", _touched(document, container)


def json_shape(rng: Random, data: bytes) -> tuple[Any, ...]:
    wrap = rng.choice(("[{}]", '{{"models": {}}}', "{}\n{}", "{},", "\ufeff{}", "[{},null]"))
    text = data.decode()
    return wrap.format(*[text] * wrap.count("{}")).encode(), wrap, None


def json_not_ascii(_: Random, data: bytes) -> tuple[Any, ...]:
    return _dump(_load(data), ascii_only=False) + b"\n", "as UTF-8", 0


JSON = (
    *(json_value, json_value, json_value, json_value, json_without, json_renamed),
    *(json_repeated_key, json_repeated_item, json_not_utf8, json_raw_control, json_shape),
    json_not_ascii,
)
