"""The copy of a flow's source that its runs keep: content-addressed, so that it is kept once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from perdure.source import Source

__all__ = ["COPY_FORMAT", "SourceCopy", "text_of"]

COPY_FORMAT: Final = 1


class SourceCopy(NamedTuple):
    """The files a flow was loaded from, by path from the project root."""

    file: str
    flow: str
    files: Mapping[str, str]

    def encoded(self) -> bytes:
        """Return the bytes to keep; equal sources give equal bytes."""
        body = {
            "format": COPY_FORMAT,
            "file": self.file,
            "flow": self.flow,
            "files": dict(sorted(self.files.items())),
        }
        return json.dumps(body, separators=(",", ":"), ensure_ascii=True).encode()

    def changed_files(self, root: Path) -> list[str]:
        """Return which files are different now, or gone."""
        return [name for name, text in self.files.items() if text_of(root / name) != text]


def text_of(path: Path) -> str | None:
    """The text of a source file, None where there is none."""
    try:
        return Source.from_bytes(path.name, path.read_bytes()).text
    except (OSError, ValueError):
        return None
