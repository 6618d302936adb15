"""`perdure probe aws|gcp`: what no document says, asked of a real account."""

import json
from collections.abc import Mapping

import click

from perdure.cli import exits
from perdure.cli.streams import json_text, out, say
from perdure.codec.text import Json
from perdure.probing import Finding

__all__ = ["command"]


@click.command("probe")
@click.argument("target", metavar="TARGET")
@click.option("--yes", is_flag=True, help="Do it; without it, only say what would be done.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="gcp: project, region, account (of the workflow); aws: region, role (an ARN).",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(target: str, yes: bool, settings: tuple[str, ...], as_json: bool) -> int:
    """Ask a real account what the documents of a target leave open, and compare it with what
    perdure assumes.

    Something small is made there and removed again; nothing is asked without --yes.
    """
    from perdure.backend import PROBERS, load_prober
    from perdure.probing import NoCredentials, ProbeFailed, compared, findings_json

    prober = load_prober(target)
    if prober is None:
        known = ", ".join(PROBERS)
        raise click.UsageError(f"there is nothing to ask of `{target}`; there is of {known}")
    options = _options(settings)
    if not yes:
        _tell_plan(target, [*prober.plan()], prober.questions, as_json)
        return exits.DONE
    try:
        findings = compared(prober, prober.ask(options))
    except (NoCredentials, ProbeFailed) as error:
        say(f"error: {error}")
        return exits.ENVIRONMENT
    if as_json:
        out(json_text(findings_json(target, findings)))
    else:
        for finding in findings:
            _tell(finding)
    differ = [finding for finding in findings if finding.verdict in {"differs", "no answer"}]
    say(f"{len(findings)} questions, {len(differ)} not as assumed")
    return exits.REFUSED if differ else exits.DONE


def _options(settings: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise click.UsageError(f"`{setting}` is no NAME=VALUE")
        found[name] = value
    return found


def _tell_plan(target: str, plan: list[str], questions: Mapping[str, str], as_json: bool) -> None:
    if as_json:
        told: Json = {"version": 1, "target": target, "plan": [*plan], "questions": {**questions}}
        out(json_text(told))
        return
    out(f"perdure probe {target} --yes would make in your account:")
    for sentence in plan:
        out(f"- {sentence}")


def _tell(finding: Finding) -> None:
    out(f"{finding.verdict:<12}{finding.question}: {finding.asks}")
    if finding.verdict == "differs":
        out(f"            assumed {json.dumps(finding.assumed)}")
    if finding.verdict in {"differs", "answered"}:
        out(f"            is      {json.dumps(finding.answer)}")
