"""`perdure compile`: flows in, `compiled/<target>/<flow>/` out, only what changed is written."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure import artifacts
from perdure.artifacts import Change
from perdure.cli import exits
from perdure.cli.flows import choose
from perdure.cli.output import emit_report, format_option, refused
from perdure.cli.streams import busy, many, out, say
from perdure.diagnostics import Report
from perdure.project import Project

if TYPE_CHECKING:
    from perdure.backend import Target
    from perdure.driver import Compiled
    from perdure.frontend.check import Workspace

__all__ = ["command"]


@click.command("compile")
@click.argument("files", nargs=-1, metavar="[FILE[:FLOW]]...")
@click.option("--target", "-t", "targets", multiple=True, help="The cloud; may be repeated.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write into.")
@click.option("--frozen", is_flag=True, help="Write nothing; fail if the output would differ.")
@click.option("--json", "as_json", is_flag=True, help="Say what was done as JSON.")
@format_option
def command(
    *,
    files: tuple[str, ...],
    targets: tuple[str, ...],
    out: Path | None,
    frozen: bool,
    as_json: bool,
    form: str,
) -> int:
    """Compile flows for a cloud; without FILE, those of the project.

    Writes compiled/TARGET/FLOW/ in the project, meant to be committed.
    """
    from perdure.driver import compile_flows

    report = Report()
    chosen = choose(files, report)
    project = chosen.workspace.project
    loaded = _targets(targets, project)
    with busy(f"compiling {many(len(chosen.names), 'file')}"):
        compiled = compile_flows(chosen.names, loaded, chosen.workspace) if report.ok else ()
    folder = out.absolute() if out else project.out
    _refuse_taken(compiled, folder, chosen.workspace)
    changes = _changes(compiled, loaded, folder, chosen.whole) if report.ok else ()
    if not frozen:
        artifacts.write(changes, folder)
    if as_json:
        _say_as_json(compiled, changes, report, folder)
    else:
        emit_report(report, form, project.root)
        if report.ok and form == "text":
            _say(compiled, changes, folder, frozen)
    if not report.ok:
        return refused(report)
    return exits.REFUSED if frozen and changes else exits.DONE


def _targets(names: Sequence[str], project: Project) -> "tuple[Target, ...]":
    from perdure.backend import load_target

    environments = project.settings.environments.values()
    wanted = dict.fromkeys(names or sorted({place.target for place in environments}))
    if not wanted:
        raise click.UsageError(f"say for which target: {_choices()}")
    loaded: list[Target] = []
    for name in wanted:
        target = load_target(name)
        if target is None:
            raise click.UsageError(f"there is no target `{name}`; write {_choices()}")
        loaded.append(target)
    return tuple(loaded)


def _choices() -> str:
    from perdure.backend import target_names

    return " or ".join(f"`--target {name}`" for name in target_names())


def _refuse_taken(compiled: "Sequence[Compiled]", folder: Path, workspace: "Workspace") -> None:
    from perdure.driver import refuse_taken

    for one in compiled:
        place = folder / one.target / one.flow
        source = artifacts.source_of(place)
        if source is not None:
            refuse_taken(one, source, _shown(place), workspace)


def _changes(
    compiled: "Sequence[Compiled]", targets: "Sequence[Target]", folder: Path, whole: bool
) -> tuple[Change, ...]:
    found: list[Change] = []
    for one in compiled:
        found += artifacts.changes(folder / one.target / one.flow, one.artifacts, one.span.file)
    if whole:
        # All flows of the project were compiled: what else is there was a flow once.
        made = {(one.target, one.flow) for one in compiled}
        for target in targets:
            for old in _compiled_before(folder / target.name):
                if (target.name, old.name) not in made:
                    found += artifacts.removals(old)
    return tuple(found)


def _compiled_before(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and artifacts.is_ours(path))


def _say(
    compiled: "Sequence[Compiled]", changes: Sequence[Change], folder: Path, frozen: bool
) -> None:
    if frozen:
        for change in changes:
            say(f"{change.kind:8}{_shown(change.path)}")
        if changes:
            say("the output on disk differs; run `perdure compile` and commit it")
        return
    for one in compiled:
        place = folder / one.target / one.flow
        changed = sum(place in change.path.parents for change in changes)
        # The manifest is a file too.
        files = f"{len(one.artifacts) + 1} files, {changed} changed" if changed else "unchanged"
        out(f"{one.flow} -> {_shown(place)} ({files})")


def _shown(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def _say_as_json(
    compiled: "Sequence[Compiled]", changes: Sequence[Change], report: Report, folder: Path
) -> None:
    import json

    from perdure.render import render

    diagnostics: object = json.loads(render(report, "json"))["diagnostics"]
    flows = [
        {
            "flow": one.flow,
            "target": one.target,
            "folder": _shown(folder / one.target / one.flow),
            "files": sorted(one.artifacts),
        }
        for one in compiled
    ]
    changed = [{"file": _shown(change.path), "kind": change.kind} for change in changes]
    said = {"version": 1, "compiled": flows, "changed": changed, "diagnostics": diagnostics}
    out(json.dumps(said, indent=2))
