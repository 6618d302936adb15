"""The catalogue of everything perdure says about a program.

    from perdure import rules
    report.error(rules.YIELD, span)

A code is never reused. PDR1xx: not in the language; PDR2xx: a wrong flow or project; PDR3xx: a
limit of one target. Each rule has a page with a firing example and a way out in `tests/errors/`.
"""

from perdure.diagnostics import Rule
from perdure.rules import flow, language, target
from perdure.rules.flow import *  # noqa: F403 - the catalogue is the namespace
from perdure.rules.language import *  # noqa: F403 - the catalogue is the namespace
from perdure.rules.target import *  # noqa: F403 - the catalogue is the namespace


def catalogue() -> dict[str, Rule]:
    """Every rule by its code, in the order of the codes."""
    found = [
        value
        for module in (language, flow, target)
        for value in vars(module).values()
        if isinstance(value, Rule)
    ]
    return {rule.code: rule for rule in sorted(found)}
