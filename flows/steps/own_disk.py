"""Full disks and unwritable folders of a run, as errors of the step that met them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from flows.settings import Settings
from warehouse.database.own_disk import disk_errors

P = ParamSpec("P")
T = TypeVar("T")


def own_disk_as(kind: type[Exception]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Turns a full disk or an unwritable folder of ours into this kind of error."""

    def decorated(step: Callable[P, T]) -> Callable[P, T]:
        @wraps(step)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            settings = cast(Settings, args[0])
            ours = (settings.warehouse.parent, settings.docs.parent, settings.history)
            with disk_errors(kind, *ours, Path(tempfile.gettempdir())):
                return step(*args, **kwargs)

        return run

    return decorated
