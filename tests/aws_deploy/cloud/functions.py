"""The functions that were deployed, run in this process from the zip that lies in the bucket.

Each version has its own modules: they stand in `sys.modules` while it is invoked, as the only
ones of their names, so that two versions of one project run side by side.
"""

import io
import os
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import Any, final
from unittest.mock import patch

from perdure_aws.engine import Json, LambdaContext, LambdaFunction

__all__ = ["FunctionCode", "Functions"]


@final
class FunctionCode:
    """One version of a function."""

    def __init__(self, folder: Path, content: bytes, handler: str, env: Mapping[str, str]) -> None:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(folder)
            tops = {name.partition("/")[0].removesuffix(".py") for name in archive.namelist()}
        self._folder = folder
        self._tops = frozenset(tops)
        self._handler = handler
        self._env = dict(env)
        self._modules: dict[str, ModuleType] = {}

    def __call__(self, event: Json, context: LambdaContext, /) -> Json:
        """One invocation."""
        with self._imported(), patch.object(time, "time", lambda: context.now().timestamp()):
            module, _, name = self._handler.rpartition(".")
            handler: Any = getattr(import_module(module), name)
            with patch.object(time, "sleep", context.sleep):
                answer: Json = handler(event, context)
                return answer

    def _imported(self) -> Any:
        return _Swapped(self._folder, self._tops, self._modules, self._env)


@final
class _Swapped:
    """While it holds, the modules of one version are imported and those of nobody else."""

    def __init__(
        self, folder: Path, tops: frozenset[str], own: dict[str, ModuleType], env: dict[str, str]
    ) -> None:
        self._folder, self._tops, self._own = folder, tops, own
        self._others: dict[str, ModuleType] = {}
        self._env = patch.dict(os.environ, env)

    def __enter__(self) -> None:
        self._others = self._taken_out()
        sys.modules.update(self._own)
        sys.path.insert(0, str(self._folder))
        invalidate_caches()
        self._env.start()

    def __exit__(self, *_: object) -> None:
        self._env.stop()
        sys.path.remove(str(self._folder))
        self._own.clear()
        self._own.update(self._taken_out())
        sys.modules.update(self._others)

    def _taken_out(self) -> dict[str, ModuleType]:
        names = [name for name in sys.modules if name.partition(".")[0] in self._tops]
        return {name: sys.modules.pop(name) for name in names}


@final
class Functions(Mapping[str, LambdaFunction]):
    """Functions by the ARN of a version: what a definition calls."""

    def __init__(self, folder: Path, invoked: Any) -> None:
        self._folder = folder
        self._invoked = invoked
        self._known: dict[str, FunctionCode] = {}

    def __getitem__(self, arn: str) -> LambdaFunction:
        if arn.count(":") == 6:
            code = self._load_newest(arn)
        else:
            if arn not in self._known:
                self._known[arn] = self._load(arn)
            code = self._known[arn]

        def invoke(event: Json, context: LambdaContext, /) -> Json:
            with self._invoked(arn):
                return code(event, context)

        return invoke

    def __contains__(self, arn: object) -> bool:
        return isinstance(arn, str) and arn.startswith("arn:aws:lambda:") and arn.count(":") == 7

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _load(self, arn: str) -> FunctionCode:
        # Any: moto's models have no types.
        awslambda: Any = import_module("moto.awslambda.utils")
        _, _, _, region, account, _, name, version = arn.split(":")
        found = awslambda.get_backend(account, region).get_function(name, version)
        return self._code(found, f"{name}-{version}")

    def _load_newest(self, arn: str) -> FunctionCode:
        """A function without a version: what it is now."""
        awslambda: Any = import_module("moto.awslambda.utils")
        _, _, _, region, account, _, name = arn.split(":")
        found = awslambda.get_backend(account, region).get_function(name)
        is_now = f"{name}-{found.code_sha_256}-{sorted(found.environment_vars.items())}"
        known = f"{name}-{sha256(is_now.encode()).hexdigest()[:12]}"
        if known not in self._known:
            self._known[known] = self._code(found, known)
        return self._known[known]

    def _code(self, found: Any, folder: str) -> FunctionCode:
        env = {key: str(value) for key, value in found.environment_vars.items()}
        return FunctionCode(self._folder / folder, found.code_bytes, found.handler, env)
