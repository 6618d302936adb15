"""`perdure rule [CODE]`: the page of one rule, or the list of all."""

import re

import click

from perdure import rules
from perdure.cli.streams import out
from perdure.diagnostics import Rule, nearest

__all__ = ["command", "page"]


@click.command("rule")
@click.argument("code", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(code: str | None, as_json: bool) -> None:
    """Explain a rule, such as PDR201; without CODE, list them all."""
    known = rules.catalogue()
    if code is None:
        _list(known, as_json)
        return
    wanted = code.upper() if code.upper().startswith("PDR") else f"PDR{code}"
    if wanted not in known:
        meant = nearest(wanted, known)
        hint = f"; the nearest is {meant}" if meant else ""
        raise click.UsageError(f"there is no rule `{code}`{hint}")
    out(_json([known[wanted]]) if as_json else page(known[wanted]))


def page(rule: Rule) -> str:
    """What a rule says, why, and what to write instead; `<name>` is a part of the program."""
    return "\n".join(
        [
            f"{rule.code}: {_filled(rule.message)}",
            "",
            _wrapped(rule.explain),
            "",
            f"help: {_filled(rule.help)}",
        ]
    )


def _list(known: dict[str, Rule], as_json: bool) -> None:
    if as_json:
        out(_json([*known.values()]))
        return
    for rule in known.values():
        out(f"{rule.code}  {_filled(rule.message)}")


def _json(found: list[Rule]) -> str:
    import json

    return json.dumps([rule._asdict() for rule in found], indent=2)


def _filled(template: str) -> str:
    return re.sub(r"\{(\w+)\}", r"<\1>", template).replace("{{", "{").replace("}}", "}")


def _wrapped(text: str) -> str:
    import textwrap

    return textwrap.fill(text, 88)
