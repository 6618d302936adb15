"""PDR2xx: a flow that is wrong, and a project whose settings are wrong."""

from perdure.diagnostics import Rule

UNDEFINED_NAME = Rule(
    "PDR201",
    "`{name}` is not defined here",
    "{hint}",
    "A name has to be a parameter, a result assigned earlier, or a name of the module.",
)
UNKNOWN_FLOW = Rule(
    "PDR202",
    "`{file}` has no flow named `{name}`",
    "write {suggestion}",
    "A flow is named by the function under `@flow`: `perdure run flows/triage.py:triage`.",
)
NO_FLOW = Rule(
    "PDR203",
    "no function in `{file}` is marked `@flow`",
    "{hint}",
    "`from perdure import flow` gives the mark.",
)
MISSING_AWAIT = Rule(
    "PDR204",
    "the result of `{call}` is never awaited",
    "write `await {call}(...)`",
    "Calling a step, a flow or an operation makes a coroutine; it runs when it is awaited, or "
    "given to gather, race, quorum or a TaskGroup.",
)
NOT_AWAITABLE = Rule(
    "PDR205",
    "`{what}` cannot be awaited",
    "remove the `await`",
    "Steps, flows, the operations of perdure and `async def` functions of the project can be "
    "awaited.",
)
AWAITED_TWICE = Rule(
    "PDR206",
    "the coroutine `{name}` is used a second time",
    "call it again for a second run, or keep its result",
    "A coroutine runs once: awaited, or given to gather, race, quorum or a TaskGroup.",
)
WRONG_ARGUMENTS = Rule(
    "PDR207",
    "`{name}` cannot be called like this: {problem}",
    "call `{signature}`",
    "The arguments of a step or flow are recorded by parameter name, so they have to fit its "
    "signature; those of perdure's and asyncio's own operations fit theirs. The branches of "
    "`race` are named: the name of the first to end is its result.",
)
UNKNOWN_OPTION = Rule(
    "PDR208",
    "`{function}` has no option `{option}`",
    "write {suggestion}",
    "The options of `@step` are retry, timeout, name and group; those of `@flow` are retry, "
    "name and on.",
)
DUPLICATE_STEP = Rule(
    "PDR209",
    "two steps are named `{name}`",
    'give one of them another name: `@step(name="...")`',
    "A step's name stands in records, scripts and deployed functions, so it means one function.",
)
DUPLICATE_FLOW = Rule(
    "PDR210",
    "two flows are named `{name}`",
    "rename one of them",
    "A flow's name is the name of what is deployed, and of the folder of its artifacts.",
)
BAD_DURATION = Rule(
    "PDR211",
    "`{text}` is no duration{bound}",
    'write seconds as a number, or text like `"90s"`, `"1h30m"`, `"1.5d"`, `"250ms"`',
    "Durations are seconds, a `timedelta`, or numbers with the units d, h, m, s and ms.",
)
BAD_RETRY = Rule(
    "PDR212",
    "this is no retry policy: {problem}",
    'write `retry=3`, or `retry=Retry(attempts=3, delay="1s")`',
    "A policy counts attempts, the first one included; `attempts=None` never gives up.",
)
BAD_EVENT_NAME = Rule(
    "PDR213",
    "`{name}` is no event name",
    "write `{suggestion}`",
    "Event names are lower case letters, digits and `_`, beginning with a letter, so that they "
    "can stand in addresses and on every command line.",
)
# PDR214 (`limit=0`) and PDR215 (`race()`) are retired: both raise ValueError when they run.
BAD_ANNOTATION = Rule(
    "PDR216",
    "the type `{annotation}` cannot be found from the source",
    "import the type at the top of the file, or write it out",
    "The declared type says how a value is checked and restored when it crosses. It is read from "
    "the source, without importing anything.",
)
OPTION_NOT_FIXED = Rule(
    "PDR217",
    "`{option}` of `{function}` is not known before the flow runs",
    "write a constant, or set it per call: `{function}.options({option}=...)(...)`",
    "The options of a step are compiled into the policy of the engine.",
)
FLOW_PARAMETER = Rule(
    "PDR218",
    "the parameter `{name}` of a flow has no name in its input",
    "write an ordinary parameter, with a list or dict as its type",
    "The input of a flow is a JSON object keyed by parameter name, so `*args`, `**kwargs` and "
    "positional-only parameters have no place in it.",
)
NOT_AT_MODULE_LEVEL = Rule(
    "PDR219",
    "the {kind} `{name}` is not at the top level of its module",
    "move `{name}` to the top level of the file",
    "Steps and flows are found again by module and name, in another process.",
)
RESERVED_NAME = Rule(
    "PDR220",
    "the name `{name}` is perdure's own",
    "rename it",
    "Names that begin with `__perdure` or `__sites` are used in the compiled module.",
)
BAD_TRIGGER = Rule(
    "PDR230",
    "this trigger cannot be read: {problem}",
    "write {example}",
    "The paths, secrets and times of `@flow(on=...)` become part of what is deployed, so they are "
    "written out in the source.",
)
SECRET_NOT_NAMED = Rule(
    "PDR231",
    "the name of a secret is not written out",
    'write `secret("NAME")`, named like an environment variable',
    "What is deployed may read the secrets that the source names, and no others.",
)
MISSING_MODULE = Rule(
    "PDR221",
    "`{base}` has no module or name `{name}`",
    "{hint}",
    "A package of the project is read from its files, so an import that finds nothing there is "
    "known before anything runs. What other packages offer is not looked at.",
)
IMPORT_LEAVES_PROJECT = Rule(
    "PDR222",
    "the relative import `{written}` leaves the project",
    "write `{absolute}`, or put a pyproject.toml into the folder above the package",
    "A project begins at the nearest pyproject.toml, or in the folder of the file if there is "
    "none. A file there is in no package, so there is nothing its import could be relative to.",
)

BAD_TOML = Rule(
    "PDR250",
    "pyproject.toml cannot be read: {problem}",
    "correct the file",
    "perdure reads its settings from `[tool.perdure]` in the nearest pyproject.toml.",
)
UNKNOWN_SETTING = Rule(
    "PDR251",
    "`[{table}]` has no setting `{name}`",
    "{suggestion}",
    "The settings are flows, out, store, python, pure, and env.NAME with target, region, account.",
)
BAD_SETTING = Rule(
    "PDR252",
    "the setting `{name}` has to be {expected}",
    "write `{example}`",
    "Settings are read once, before anything is compiled.",
)
NO_FLOWS_SET = Rule(
    "PDR253",
    "the project does not say where its flows are",
    'write `flows = ["flows"]` under `[tool.perdure]`, or name a file: `perdure {command} FILE`',
    "Without a file on the command line, flows are found through `[tool.perdure]`.",
)
MISSING_FLOWS = Rule(
    "PDR254",
    "`{path}` of the setting `flows` does not exist",
    "create it, or correct the path",
    "The entries of `flows` are files (`FILE:FLOW` for one flow of a file) or folders, relative to"
    " pyproject.toml.",
)
SECRET_IN_SETTINGS = Rule(
    "PDR256",
    "`{name}` is a secret of `{flow}`, and a plain setting of `{environment}`",
    "remove it from `settings`, and type `perdure secrets set {environment} {name}`",
    "Settings are environment variables that whoever sees the function, its template or this file "
    "can read. What is read with `secret(...)` lies in the environment's secret store alone.",
)
WHICH_FLOW = Rule(
    "PDR255",
    "`{file}` has {count} flows, and this runs one",
    "write {choices}",
    "A command that runs a flow takes one: `FILE:FLOW`.",
)
