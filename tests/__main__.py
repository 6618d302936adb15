"""`python -m tests`: every check, in the order in which they are quick to mend.

Stops at the first that fails; pytest's closing line comes last. Arguments go to pytest. Long sweeps
(`-m slow`) are left out: a bounded sample of each is always run, and the whole of them by
`python -m pytest -m slow -n auto`.
"""

import os
import subprocess
import sys
from pathlib import Path

CHECKS = (
    ("ruff", "check", "--quiet"),
    ("ruff", "format", "--check", "--quiet"),
    ("mypy",),
    ("pyright", "--pythonpath", sys.executable),
    # Files of one kind cost alike: workers that run dry take from the others.
    ("pytest", "-q", "-rs", "-n", "auto", "--dist", "worksteal"),
)


def main() -> int:
    root = Path(__file__).parent.parent
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    for check in CHECKS:
        print("$", *check, flush=True)
        arguments = sys.argv[1:] if check[0] == "pytest" else []
        done = subprocess.run(
            [sys.executable, "-m", *check, *arguments],
            cwd=root,
            env=os.environ | {"PATH": tools},
            check=False,
        )
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
