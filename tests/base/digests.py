"""Compile flows for every target and print a digest of each artifact.

`test_same_bytes` runs it in other Pythons: it needs nothing but the standard library and the three
source roots on the path.
"""

import hashlib
import sys
from pathlib import Path

from perdure import artifacts
from perdure.backend import load_target
from perdure.diagnostics import Report
from perdure.driver import FlowName, compile_flows, open_project
from perdure.render import render


def main(root: Path, *names: str) -> int:
    report = Report()
    files = [FlowName(root / name) for name in names]
    targets = [target for name in ("aws", "azure") if (target := load_target(name))]
    compiled = compile_flows(files, targets, open_project(root, report))
    sys.stderr.write(render(report, "text"))
    for one in compiled:
        for change in artifacts.changes(Path("/nowhere"), one.artifacts, one.span.file):
            digest = hashlib.sha256(change.content or b"").hexdigest()
            print(one.target, one.flow, change.path.name, digest)
    return 0 if compiled else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
