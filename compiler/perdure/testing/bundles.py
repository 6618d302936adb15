"""Imports a compiled bundle into this process, as the sites function would.

While a bundle is active its modules stand in `sys.modules` under their own names: the codec
finds the classes of values there. Modules of the same names that were imported before come back
afterwards.
"""

import importlib
import sys
import tempfile
import zipfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from types import ModuleType

from perdure.language import Flow as UserFlow
from perdure.runtime.functions import ModuleFunctions
from perdure.sites import Flow
from perdure.sites.bodies import flow_named

__all__ = ["Loaded", "active_bundle"]

KEPT_OUT = ("perdure", "perdure_aws", "perdure_gcp")
"""Packages of the bundle that this process has already: the same code."""


class Loaded:
    """What a bundle holds: flows as the user wrote them, and the tables of their sites."""

    def __init__(self, modules: Sequence[ModuleType]) -> None:
        """`modules`: of the flows' sites, the entry flow's first."""
        self.tables: dict[str, Flow] = {module.FLOW.ref: module.FLOW for module in modules}
        self.flows = {ref: flow_named(ref) for ref in self.tables}
        self.functions = ModuleFunctions({module.__name__: module for module in modules})

    @property
    def flow(self) -> UserFlow[..., object]:
        """The entry flow."""
        return next(iter(self.flows.values()))


@contextmanager
def active_bundle(bundle: bytes, sites: Sequence[str]) -> Generator[Loaded]:
    """The bundle's modules, imported from where it is unpacked; `sites`: those of flows' sites.

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
            yield Loaded([importlib.import_module(f"perdure_sites.{name}") for name in sites])
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
    return frozenset(tops - {*KEPT_OUT, "perdure_bundle.json", "main"})


def _is_owned(module: str, owned: frozenset[str]) -> bool:
    return module.partition(".")[0] in owned
