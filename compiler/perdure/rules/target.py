"""PDR3xx: a limit of one target. The language has it; this engine does not take this much."""

from perdure.diagnostics import Rule

LIMIT_PASSED = Rule(
    "PDR301",
    "{what} is {value}, and {target} takes {limit}",
    "{remedy}",
    "Every documented limit of a target is in its table of limits; what can be computed is checked "
    "before anything is deployed.",
)
STEP_TOO_LONG = Rule(
    "PDR302",
    "`{step}` may take {value}, and {target} runs a step for at most {limit}",
    'set `timeout="{limit}"` or less, or start the work in a step and wait for an event',
    "A step runs in a function of the cloud, and that function has a longest duration.",
)
WAIT_TOO_LONG = Rule(
    "PDR303",
    "this waits {value}, and one wait on {target} lasts at most {limit}",
    "wait for a part of it, and `start` another run that waits for the rest",
    "An engine keeps an execution for a limited time.",
)
DEFINITION_TOO_LARGE = Rule(
    "PDR304",
    "the definition of `{flow}` is {value} bytes, and {target} takes {limit}",
    "move a part of `{flow}` into a flow of its own, and await that",
    "Each flow is deployed as a definition of its own, and engines limit its size.",
)
PYTHON_NOT_OFFERED = Rule(
    "PDR305",
    "{target} needs Python {needed}, and the project pins {pinned}",
    'set `python = "{offered}"` under `[tool.perdure]`',
    "A site runs the Python that the project pins, or refuses.",
)
LITERAL_TOO_LARGE = Rule(
    "PDR306",
    "this value is {value} bytes, and {target} carries {limit}",
    "read it in the step that needs it, from a file of the project",
    "Values of a flow travel with its execution, and engines limit their size.",
)
TOO_MANY_BRANCHES = Rule(
    "PDR307",
    "this starts {value} branches, and {target} runs {limit}",
    "gather them in the flow itself without `fail_fast`, or in groups of at most {limit}",
    "Engines limit how many branches one execution may start.",
)
ENDLESS_HERE = Rule(
    "PDR308",
    "{what} stands here, and {target} begins a new history only at a loop of the flow's own body",
    "move the loop into a flow of its own, and await that",
    "An engine keeps the history of an execution, and replays it or limits it. A run goes on under "
    "a new one at the head of a loop in the body of its flow, where all that lives is known; in a "
    "branch, a helper or a `with` there is no such place, and the history would grow without end.",
)
NOT_LOWERED = Rule(
    "PDR390",
    "{target} does not lower {what} yet (line {line})",
    "run the flow with `perdure run`, or write this line in another way",
    "The language has it, and `perdure run` and the reference take it. The compiler of this target "
    "refuses the line until it gives the same trace there.",
)
