"""What is deployed is what the source says: compiled artifacts that are out of date are refused."""

import click

from perdure import artifacts
from perdure.cli.environments import open_environment
from perdure.cli.flows import choose
from perdure.diagnostics import Report

__all__ = ["check_fresh"]


def check_fresh(environment: str) -> None:
    """Compile in memory and compare with what lies on disk."""
    from perdure.backend import load_target
    from perdure.driver import compile_flows

    place, _ = open_environment(environment)
    name = place.environment.target
    target = load_target(name)
    report = Report()
    chosen = choose((), report)
    if target is None or not report.ok:
        raise click.UsageError("the settings in pyproject.toml are wrong; `perdure check` says how")
    compiled = compile_flows(chosen.names, (target,), chosen.workspace)
    if not report.ok:
        raise click.UsageError("the flows are refused; `perdure check` says why")
    folder = place.project.out / name
    made = {one.flow for one in compiled}
    stale = [
        *(
            one.flow
            for one in compiled
            if artifacts.changes(folder / one.flow, one.artifacts, one.span.file)
        ),
        *(
            path.name
            for path in (sorted(folder.iterdir()) if folder.is_dir() else ())
            if artifacts.is_ours(path) and path.name not in made
        ),
    ]
    if stale:
        raise click.UsageError(
            f"what is compiled is not what the source says ({', '.join(stale)}): run"
            f" `perdure compile --target {name}`, and commit it"
        )
