"""Services that were deployed, run in this process from the archive that lies in the bucket.

Each revision has its own modules: they stand in `sys.modules` while it answers, as the only ones of
their names, so that two revisions of one project run side by side.
"""

import io
import os
import sys
import tarfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import Any, final
from unittest.mock import patch

__all__ = ["Code"]


@final
class Code:
    """One revision, of one instance."""

    def __init__(
        self,
        folder: Path,
        archive: bytes,
        env: Mapping[str, str],
        send: Any,
        clock: Callable[[], float],
    ) -> None:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            tar.extractall(folder, filter="data")
            self._tops = {name.partition("/")[0].removesuffix(".py") for name in tar.getnames()}
        self._folder, self._env, self._send, self._clock = folder, dict(env), send, clock
        self._modules: dict[str, ModuleType] = {}
        self._service: Any = None
        self._slept = 0.0

    def sites(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """What `main.py` serves: a request of a workflow, of Pub/Sub, of Cloud Scheduler."""
        with self._imported():
            module: Any = import_module("perdure_gcp.handler")
            self._service = self._service or module.Service(self._send, os.environ)
            answer: bytes = self._service.respond(body, headers.get(module.MOMENT))
            return answer

    def door(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Any:
        """What `python -m perdure_gcp.door` serves."""
        with self._imported():
            module: Any = import_module("perdure_gcp.door")
            self._service = self._service or module.DoorService(self._send, os.environ)
            return self._service.respond(method, target, headers, body)

    @contextmanager
    def _imported(self) -> Generator[None]:
        """While it holds, the modules of this revision are imported and those of nobody else."""
        others = self._taken_out()
        sys.modules.update(self._modules)
        sys.path.insert(0, str(self._folder))
        invalidate_caches()
        self._slept = 0.0
        try:
            with (
                patch.dict(os.environ, self._env),
                patch.object(time, "time", lambda: self._clock() + self._slept),
                patch.object(time, "sleep", self._sleep),
            ):
                yield
        finally:
            sys.path.remove(str(self._folder))
            self._modules = self._taken_out()
            sys.modules.update(others)

    def _sleep(self, seconds: float) -> None:
        self._slept += seconds

    def _taken_out(self) -> dict[str, ModuleType]:
        names = [name for name in sys.modules if name.partition(".")[0] in self._tops]
        return {name: sys.modules.pop(name) for name in names}
