"""`perdure`: find the command, run it, and turn however it ends into an exit code."""

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, final, override

import click

from perdure.cli import exits

if TYPE_CHECKING:
    from perdure.cli.streams import OutputLost

__all__ = ["main", "perdure", "run"]


class _Entry(NamedTuple):
    module: str
    short: str


COMMANDS: Final[dict[str, _Entry]] = {
    "run": _Entry("perdure.cli.run", "Run a flow here, on this machine."),
    "runs": _Entry("perdure.cli.runs", "List the runs."),
    "show": _Entry("perdure.cli.show", "Show what a run did, as a tree."),
    "send": _Entry("perdure.cli.send", "Send an event to a run."),
    "resume": _Entry("perdure.cli.resume", "Go on with a run that was interrupted."),
    "cancel": _Entry("perdure.cli.cancel", "Cancel a run."),
    "retry": _Entry("perdure.cli.retry", "Let a failed run go on where it failed."),
    "fork": _Entry("perdure.cli.fork", "Begin a new run in the middle of another one."),
    "worker": _Entry("perdure.cli.worker", "Drive runs whenever they are due."),
    "dev": _Entry("perdure.cli.dev", "Drive runs, and serve HTTP on this machine."),
    "compile": _Entry("perdure.cli.compile", "Compile flows for a cloud."),
    "package": _Entry("perdure.cli.package", "Build what is deployed."),
    "plan": _Entry("perdure.cli.plan", "Show what `deploy` would change."),
    "deploy": _Entry("perdure.cli.deploy", "Bring an environment to what was compiled."),
    "rollback": _Entry("perdure.cli.rollback", "Start new runs on an older version."),
    "status": _Entry("perdure.cli.status", "Show what is deployed."),
    "destroy": _Entry("perdure.cli.destroy", "Remove an environment."),
    "secrets": _Entry("perdure.cli.secrets", "Set secrets, and list those that flows read."),
    "check": _Entry("perdure.cli.check", "Say everything that is wrong with flows."),
    "explain": _Entry("perdure.cli.explain", "Say where each line runs, and what it costs."),
    "rule": _Entry("perdure.cli.rule", "Explain a rule, such as PDR201."),
    "graph": _Entry("perdure.cli.graph", "Draw a flow, as Mermaid text or as SVG."),
    "ir": _Entry("perdure.cli.ir", "Print what the compiler makes of a flow."),
    "probe": _Entry("perdure.cli.probe", "Ask a real account what no document says."),
    "init": _Entry("perdure.cli.init", "Start a project in a folder."),
}
"""In the order of the help text. What stands here is shown without loading any command."""

_WRONG_PATHS: Final = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EEXIST)
"""Errors of a path that was named wrongly; all others are the machine's."""
_NO_OUTPUT: Final = (errno.EPIPE, errno.ENOSPC, errno.EBADF, errno.EIO)
"""Errors, of no path, that writing the help text ends with."""


@final
class _Commands(click.Group):
    """The group of all commands, which loads one only to run it."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        command: click.Command = import_module(COMMANDS[cmd_name].module).command
        return command

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from perdure.diagnostics import nearest

            meant = nearest(args[0], COMMANDS)
            hint = f"; the nearest is `{meant}`" if meant else ""
            ctx.fail(f"there is no command `{args[0]}`{hint}")
        return super().resolve_command(ctx, args)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.short) for name, entry in COMMANDS.items()])


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from perdure import __version__
        from perdure.cli import streams

        streams.out(f"perdure {__version__}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version.",
)
def perdure() -> None:
    """Write a durable agent as a plain async def; run it on every cloud's orchestrator."""


def main(args: Sequence[str] | None = None) -> None:
    """The entry point of the script: run a command and leave with its exit code."""
    from perdure.cli import streams

    streams.prepare()
    code = run(args)
    try:
        streams.flush()
    except streams.OutputLost as lost:
        code = _output_lost(lost)
    sys.exit(code)


def run(args: Sequence[str] | None) -> int:
    """Run a command; its exit code, whatever happened."""
    try:
        result: object = perdure.main(args, prog_name="perdure", standalone_mode=False)
        return result if isinstance(result, int) else exits.DONE
    except click.exceptions.Exit as left:
        return left.exit_code
    except click.ClickException as error:
        _show(error)
        return exits.WRONG_CALL
    except (click.Abort, KeyboardInterrupt):
        return exits.INTERRUPTED
    except Exception as error:
        return _environment(error) or _own_fault(error, args)


def _show(error: click.ClickException) -> None:
    with suppress(OSError):
        error.show(sys.stderr)


def _environment(error: Exception) -> int | None:
    """The exit code for what this machine refuses, once it is said; None for any other error."""
    from perdure.cli import streams

    if isinstance(error, streams.OutputLost):
        return _output_lost(error)
    if isinstance(error, OSError) and error.filename:
        streams.say(f"error: {error.filename}: {error.strerror}")
        return exits.WRONG_CALL if error.errno in _WRONG_PATHS else exits.ENVIRONMENT
    if isinstance(error, OSError) and error.errno in _NO_OUTPUT:
        return _output_lost(streams.lost(error))
    deployment = sys.modules.get("perdure.deployment")
    if deployment is not None and isinstance(error, deployment.DeployError):
        streams.say(f"error: {error}")
        is_refused = isinstance(error, deployment.CloudRefused)
        return exits.ENVIRONMENT if is_refused else exits.REFUSED
    sqlite = sys.modules.get("sqlite3")
    if sqlite is not None and isinstance(error, sqlite.Error):
        what_now = (
            "the file is damaged: put a copy of it back, or name another one with PERDURE_STORE"
        )
        if isinstance(error, sqlite.OperationalError):
            what_now = "nothing that was recorded is lost by that, and runs can be resumed"
            if getattr(error, "sqlite_errorcode", None) == sqlite.SQLITE_FULL:
                what_now = f"free space on its disk; {what_now}"
        streams.say(f"error: the store of runs cannot be used: {error}; {what_now}")
        return exits.ENVIRONMENT
    return None


def _output_lost(lost: "OutputLost") -> int:
    from perdure.cli import streams

    if not lost.quiet:
        streams.say(f"error: {lost}")
    return exits.ENVIRONMENT


def _own_fault(error: Exception, args: Sequence[str] | None) -> int:
    if os.environ.get("PERDURE_DEBUG"):
        raise error
    from perdure.cli import streams
    from perdure.cli.fault import describe

    streams.say(describe(error, sys.argv[1:] if args is None else args))
    return exits.OUR_FAULT
