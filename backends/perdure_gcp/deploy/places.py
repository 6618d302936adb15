"""Lines of the source and versions, kept with each release: what `show` says of a run's waits and
ways, and what the record of a run has.

places / <name>/<release>    {"lines": state -> "file:line", "ways": decision -> exit -> state}
"""

import json
from collections.abc import Mapping

from perdure.codec import Json
from perdure.sites.state import fields
from perdure.store.protocol import FORMAT, Key, RunStore
from perdure_gcp.deploy.releases import Release

__all__ = ["keep_places", "places_of"]

VERSIONS = ("perdure", "python", "codec", "source")


def keep_places(store: RunStore, name: str, release: str, compiled: Release) -> None:
    """Note them, once."""
    key = _key(name, release)
    if store.get(key) is None:
        lines: dict[str, Json] = {}
        ways: dict[str, Json] = {}
        for path in sorted(compiled.folder.rglob("source-map.json")):
            document = fields(json.loads(path.read_text("utf-8")))
            for row in fields(document["steps"]).values():
                step = fields(row)
                lines.setdefault(str(step["state"]), f"{step['file']}:{step['line']}")
            for state, exits in fields(document["ways"]).items():
                ways.setdefault(state, exits)
        about = compiled.about
        versions: dict[str, Json] = {name: about[name] for name in VERSIONS}
        store.put_if_absent(
            key, {"format": FORMAT, "lines": lines, "ways": ways, "versions": versions}
        )


def places_of(store: RunStore, name: str, release: str) -> Mapping[str, Json]:
    """What was noted of a release; {} where nothing was."""
    item = store.get(_key(name, release))
    return {} if item is None else item.body


def _key(name: str, release: str) -> Key:
    return Key("places", f"{name}/{release}")
