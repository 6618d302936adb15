"""Imports a compiled bundle into this process, as the sites function would.

While a bundle is active its modules stand in `sys.modules` under their own names: the codec
finds the classes of values there. Modules of the same names that were imported before come back
afterwards.
"""

import importlib
import sys
import tempfile
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from types import ModuleType

from perdure.language import Flow as UserFlow
from perdure.runtime.functions import ModuleFunctions
from perdure.sites import Flow
from perdure_aws.bodies import flow_named

__all__ = ["Loaded", "active_bundle"]

KEPT_OUT = ("perdure", "perdure_aws")
"""Packages of the bundle that this process has already: the same code."""


class Loaded:
    """What a bundle holds: the flow as the user wrote it, and the table of its sites."""

    def __init__(self, flow: UserFlow[..., object], module: ModuleType) -> None:
        self.flow = flow
        self.table: Flow = module.FLOW
        self.functions = ModuleFunctions({module.__name__: module})


@contextmanager
def active_bundle(bundle: bytes, sites: str) -> Generator[Loaded]:
    """The bundle's modules, imported from where it is unpacked; `sites` has the flow's sites.

    Unpacked as Lambda does it: zipimport of Python 3.13.0 finds no namespace packages in a zip
    without entries for folders (https://github.com/python/cpython/issues/121735).
    """
    owned = _owned(bundle)
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_owned(name, owned)}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / f"bundle-{sha256(bundle).hexdigest()[:12]}"
        with zipfile.ZipFile(BytesIO(bundle)) as archive:
            archive.extractall(place)
        sys.path.insert(0, str(place))
        importlib.invalidate_caches()
        try:
            module = importlib.import_module(f"perdure_sites.{sites}")
            yield Loaded(flow_named(module.FLOW.ref), module)
        finally:
            sys.path.remove(str(place))
            sys.path_importer_cache.pop(str(place), None)
            for name in [name for name in sys.modules if _is_owned(name, owned)]:
                del sys.modules[name]
            sys.modules.update(before)


def _owned(bundle: bytes) -> frozenset[str]:
    """The top-level names that the bundle brings itself."""
    with zipfile.ZipFile(BytesIO(bundle)) as archive:
        tops = {name.partition("/")[0].removesuffix(".py") for name in archive.namelist()}
    return frozenset(tops - {*KEPT_OUT, "perdure_bundle.json"})


def _is_owned(module: str, owned: frozenset[str]) -> bool:
    return module.partition(".")[0] in owned
