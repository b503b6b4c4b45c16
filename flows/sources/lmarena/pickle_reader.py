"""Reads the content of a pickle without executing it: nothing is imported, called or built.

`read` walks the opcodes with a stack of its own. A class or function that the pickle names becomes
a `Named`; a call becomes a `Made` that records the call. `pickled_frames` reads from these records
what numpy, pandas and pyarrow would have built.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

MAX_BYTES = 256 << 20  # the largest pickle of the Space has some 30 MB
MAX_STEPS = 30_000_000  # a step makes at most one small object
Value: TypeAlias = Any  # anything in a pickle; its shape is only known at run time
_MARK = object()
_CALLERS = ("copyreg._reconstructor", "copy_reg._reconstructor", "copyreg.__newobj__")


class PickleError(ValueError):
    """A pickle that is damaged, contains more than data, or has an unknown shape."""


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Named:
    """A class or function that the pickle names: only its path, nothing is imported."""

    path: str


@dataclass(eq=False, repr=False, slots=True)
class Made:
    """An object that the pickle would have made by calling `what`, with arguments and state.

    `items` and `entries` are what it would have appended or set by key.
    """

    what: object
    args: tuple[Any, ...]
    state: Any = None
    items: list[Any] = field(default_factory=list)
    entries: list[tuple[Any, Any]] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Path of the class or function called; '' if the pickle names none."""
        path = self.what.path if isinstance(self.what, Named) else ""
        if path in _CALLERS and self.args and isinstance(self.args[0], Named):
            return self.args[0].path
        return path


def read(data: bytes) -> Value:
    """The pickle's top value, made of plain Python values, `Named` and `Made`.

    Dictionaries have plain keys; any other key becomes a `Made`. Sets become lists, and a value may
    occur in several places. Raises PickleError.
    """
    if len(data) > MAX_BYTES:
        raise PickleError(f"has {len(data):,} bytes, more than {MAX_BYTES:,}")
    machine, position = _Machine(), 0
    try:
        for step, (opcode, argument, at) in enumerate(pickletools.genops(data)):
            position = at or 0
            if step > MAX_STEPS:
                raise PickleError(f"has more than {MAX_STEPS:,} steps")
            machine.do(opcode.name, argument)
        return machine.result()
    except (PickleError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise PickleError(f"byte {position}: {_problem(error)}") from error


def _problem(error: Exception) -> str:
    kind = "" if isinstance(error, PickleError) else f"damaged, {type(error).__name__}: "
    return f"{kind}{error}"[:200]


def describe(value: object) -> str:
    """A value for a message; containers are described by type, since they may be endless."""
    if isinstance(value, Named):
        return value.path[:80]
    short = isinstance(value, str | bytes | float | type(None)) or (
        isinstance(value, int) and value.bit_length() < 99
    )
    return f"{value!r:.80}" if short else f"a {type(value).__name__}"


class _Machine:
    """The stack and memo of a pickle; `do` is one opcode."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def result(self) -> Value:
        if len(self.stack) != 1 or self.stack[0] is _MARK:
            raise PickleError(f"ends with {len(self.stack)} values on its stack")
        return self.stack[0]

    def do(self, name: str, argument: Value) -> None:
        if name not in _ACTIONS:
            raise PickleError(f"the opcode {name} needs more than the data in the pickle")
        _ACTIONS[name](self, argument)

    def pop(self) -> Value:
        value = self.stack.pop()
        if value is _MARK:
            raise PickleError("uses a value where there is none")
        return value

    def top(self) -> Value:
        value = self.stack[-1]
        if value is _MARK:
            raise PickleError("uses a value where there is none")
        return value

    def since_mark(self) -> list[Any]:
        values: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def name(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise PickleError("names a class by a value that is not text")
        self.stack.append(Named(f"{module}.{name}"))

    def make(self, what: object, args: object) -> None:
        if not isinstance(args, tuple):
            raise PickleError("calls with arguments that are not a tuple")
        self.stack.append(Made(what, args))

    def extend(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Made):
            target.items.extend(values)
        elif isinstance(target, list):
            target.extend(values)
        else:
            raise PickleError(f"appends to a {type(target).__name__}")

    def put(self, values: list[Any]) -> None:
        target, pairs = self.top(), list(zip(values[::2], values[1::2], strict=True))
        if isinstance(target, Made):
            target.entries.extend(pairs)
        elif isinstance(target, dict):
            target.update((_key(key), value) for key, value in pairs)
        else:
            raise PickleError(f"sets a key of a {type(target).__name__}")

    def build(self, state: object) -> None:
        target = self.top()
        if not isinstance(target, Made):
            raise PickleError(f"sets the state of a {type(target).__name__}")
        target.state = state

    def remember(self, index: int) -> None:
        self.memo[index] = self.top()


def _key(key: object) -> object:
    """The key if it can be hashed without running code, else a placeholder."""
    plain = (str, int, float, bytes, type(None), Named, Made)
    if isinstance(key, plain) or (
        isinstance(key, tuple) and all(isinstance(part, plain) for part in key)
    ):
        return key
    return Made(None, ())


def _dict(machine: _Machine) -> None:
    values = machine.since_mark()
    machine.stack.append({})
    machine.put(values)


def _pair(machine: _Machine, action: Callable[[Any, Any], None]) -> None:
    second = machine.pop()
    action(machine.pop(), second)


def _of_mark(machine: _Machine) -> None:
    what, *args = machine.since_mark()
    machine.make(what, tuple(args))


def _with_keywords(machine: _Machine) -> None:
    machine.pop()
    _pair(machine, machine.make)


def _tuple(machine: _Machine, size: int) -> None:
    machine.stack.append(tuple(machine.pop() for _ in range(size))[::-1])


_PUSHES = (
    *("INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
    *("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
# All other opcodes (persistent ids, the extension registry, out-of-band buffers) are rejected.
_ACTIONS: dict[str, Callable[[_Machine, Any], Any]] = {
    **dict.fromkeys(_PUSHES, lambda m, value: m.stack.append(value)),
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda m, _: None),
    "NONE": lambda m, _: m.stack.append(None),
    "NEWTRUE": lambda m, _: m.stack.append(True),
    "NEWFALSE": lambda m, _: m.stack.append(False),
    "MARK": lambda m, _: m.stack.append(_MARK),
    "POP": lambda m, _: m.stack.pop(),
    "POP_MARK": lambda m, _: m.since_mark(),
    "DUP": lambda m, _: m.stack.append(m.top()),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_SET": lambda m, _: m.stack.append([]),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_TUPLE": lambda m, _: m.stack.append(()),
    "LIST": lambda m, _: m.stack.append(m.since_mark()),
    "FROZENSET": lambda m, _: m.stack.append(m.since_mark()),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.since_mark())),
    "TUPLE1": lambda m, _: _tuple(m, 1),
    "TUPLE2": lambda m, _: _tuple(m, 2),
    "TUPLE3": lambda m, _: _tuple(m, 3),
    "DICT": lambda m, _: _dict(m),
    "APPEND": lambda m, _: m.extend([m.pop()]),
    "APPENDS": lambda m, _: m.extend(m.since_mark()),
    "ADDITEMS": lambda m, _: m.extend(m.since_mark()),
    "SETITEM": lambda m, _: _pair(m, lambda key, value: m.put([key, value])),
    "SETITEMS": lambda m, _: m.put(m.since_mark()),
    "GLOBAL": lambda m, both: m.name(*both.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: _pair(m, m.name),
    "INST": lambda m, both: m.make(Named(both.replace(" ", ".", 1)), tuple(m.since_mark())),
    "OBJ": lambda m, _: _of_mark(m),
    "REDUCE": lambda m, _: _pair(m, m.make),
    "NEWOBJ": lambda m, _: _pair(m, m.make),
    "NEWOBJ_EX": lambda m, _: _with_keywords(m),
    "BUILD": lambda m, _: m.build(m.pop()),
    "PUT": lambda m, index: m.remember(index),
    "BINPUT": lambda m, index: m.remember(index),
    "LONG_BINPUT": lambda m, index: m.remember(index),
    "MEMOIZE": lambda m, _: m.remember(len(m.memo)),
    "GET": lambda m, index: m.stack.append(m.memo[index]),
    "BINGET": lambda m, index: m.stack.append(m.memo[index]),
    "LONG_BINGET": lambda m, index: m.stack.append(m.memo[index]),
}
