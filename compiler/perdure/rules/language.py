"""PDR1xx: what the language does not have, and what to write for it."""

from perdure.diagnostics import Rule

SYNTAX_ERROR = Rule(
    "PDR100",
    "{problem}",
    "correct the line: Python {python} cannot read it",
    "The file is not Python, so nothing in it can be compiled. The text of the message is "
    "CPython's own.",
)
SYNTAX_TOO_NEW = Rule(
    "PDR101",
    "this syntax is newer than Python {pinned}, which the project pins",
    'write it as in Python {pinned}, or set `python = "{needed}"` under `[tool.perdure]`',
    "A project pins one Python minor version, and every place where the flow runs has that one. "
    "Syntax that the pinned version lacks would fail there.",
)
TOO_DEEP = Rule(
    "PDR102",
    "this code is nested too deeply to be read",
    "split the expression or the block into smaller functions",
    "Python's own parser and perdure's passes give up at a nesting that no person writes. "
    "Generated tables belong in a data file that a step reads.",
)
UNREADABLE_FILE = Rule(
    "PDR103",
    "`{file}` cannot be read: {problem}",
    "check the path and its permissions",
    "The file does not exist, is a folder, or may not be read by this user.",
)
UNDECODABLE = Rule(
    "PDR104",
    "this file is not text in its declared encoding: {problem}",
    "save it as UTF-8, or name its encoding in the first line: `# coding: latin-1`",
    "Python reads a file as UTF-8 unless one of its first two lines names another encoding.",
)
NULL_BYTE = Rule(
    "PDR105",
    "this file contains a null byte",
    "remove the null byte; the file may be binary or UTF-16: save it as UTF-8",
    "Python refuses source with null bytes.",
)
MODULE_NAME = Rule(
    "PDR106",
    "`{file}` has no module name",
    "rename it to `{suggestion}`",
    "A file's module is its path from the project root, with dots between the parts. A part that "
    "itself holds a dot would name another file.",
)
YIELD = Rule(
    "PDR107",
    "a flow cannot contain `yield`",
    "collect the values in a list and return it",
    "A flow runs to its end and gives one result; what it did so far is shown with "
    "`await progress(value)`. Only a generator under `@contextmanager` or "
    "`@asynccontextmanager` may yield, once.",
)
SHADOWED_MODULE = Rule(
    "PDR108",
    "`{file}` hides the module `{module}` of {owner}",
    "rename the file, and the imports that mean it",
    "Which of the two an import finds depends on what was imported before, so it can differ "
    "between this machine and the place where the flow runs.",
)
FLOW_NOT_ASYNC = Rule(
    "PDR109",
    "the flow `{name}` is not an `async def`",
    "write `async def {name}(...)`",
    "A flow waits for its steps, so it is a coroutine function.",
)
IMPURE_CALL = Rule(
    "PDR110",
    "`{call}` reads or changes the world outside the flow",
    "move the call into a function with `@step` above it, and await that",
    "A flow is taken up again on another machine, hours or days later. What it learnt from "
    "outside is the same then only if a step recorded it. Reads of the clock, uuid and random "
    "functions of the standard library are recorded by themselves and may stay.",
)
IMPURE_HELPER = Rule(
    "PDR111",
    "`{helper}` reads or changes the world outside the flow, through `{call}`",
    "add `@step` above line {line}",
    "A helper is compiled into the flows that call it, and a flow's own code touches nothing "
    "outside. As a step it runs once and is recorded.",
)
UNKNOWN_CALL = Rule(
    "PDR112",
    "what `{call}` does cannot be told from the source",
    "{hint}",
    "perdure reads the project's source and knows the standard library; it does not import other "
    "packages. A pure function depends on its arguments alone and changes nothing.",
)
GLOBAL_WRITE = Rule(
    "PDR113",
    "a flow cannot write the global `{name}`",
    "keep the value in a local name, and return it",
    "Runs take turns in one process and one run goes through many, so a global has no one value.",
)
GLOBAL_READ = Rule(
    "PDR114",
    "the global `{name}` is not one fixed value",
    "bind `{name}` once, to a constant, or pass it to the flow as a parameter",
    "A flow may read globals that are bound once to functions, classes, loggers or frozen values "
    "(numbers, text, tuples and frozensets of these, enum members, timedelta, frozen dataclasses, "
    "`Retry`), and dicts and lists that nobody writes. Anything else may differ between the "
    "processes one run goes through.",
)
SET_ORDER = Rule(
    "PDR115",
    "this shows the order of a set",
    "write `sorted({what})`",
    "The order of a set differs from process to process, so the next process would go another "
    "way. Membership, size and set operations have no order and may stay.",
)
HASH = Rule(
    "PDR116",
    "`hash()` differs from process to process",
    "compare the values themselves, or compute `hashlib.sha256(data).hexdigest()`",
    "CPython seeds the hash of text and bytes anew in every process.",
)
IDENTITY = Rule(
    "PDR117",
    "`id()` is an address of one process",
    "give the value a field of its own that names it, and compare that",
    "A flow goes on in other processes, where the same value lies elsewhere.",
)
DEFAULT_REPR = Rule(
    "PDR118",
    "the text of `{what}` holds an address of one process",
    "give `{type}` a `__repr__` or `__str__`, or make it a dataclass",
    "The default `repr` shows where the object lies in memory, which is another place in the next "
    "process.",
)
IS_ON_MUTABLE = Rule(
    "PDR119",
    "`{operator}` on `{what}` can change after an operation",
    "compare with `{instead}`",
    "Values cross operations by value: after one, an equal value may be another object. "
    "`is None`, `is True` and comparing enum members stay as they are.",
)
ERROR_ATTRIBUTE = Rule(
    "PDR120",
    "`{attribute}` of an error does not outlive the operation that raised it",
    "use `type(e).__name__`, `str(e)`, `e.args` or a field of your own error class",
    "An error that comes out of a step is rebuilt from its type, arguments and fields. Its cause "
    "and traceback stay in the record of the step, where `perdure show` prints them.",
)
UNBOUNDED_RECURSION = Rule(
    "PDR121",
    "`{name}` calls itself on every path",
    "return without the call where the work is done, or write a loop",
    "Recursion that has no way out ends in a RecursionError, after a number of calls that differs "
    "from engine to engine. Recursion over smaller and smaller data is ordinary code and may stay, "
    "and so may a recursive helper that awaits: it becomes a child flow.",
)
THREADS = Rule(
    "PDR122",
    "a flow cannot use threads or processes (`{call}`)",
    "put the work into steps, and run them with `await gather(...)`",
    "What threads do between two operations is not recorded, so it cannot be taken up again.",
)
BROAD_EXCEPT_IN_BRANCH = Rule(
    "PDR123",
    "`{handler}` in a branch of `race` would also catch its cancellation",
    "write `except Exception:`",
    "A branch that lost is cancelled by `asyncio.CancelledError`. Whoever catches that decides "
    "how long the race takes.",
)
CLEANUP_IN_BRANCH = Rule(
    "PDR124",
    "this cleanup needs an operation, in a branch that can be cancelled",
    "put the `{keyword}` around the `{fork}`",
    "When a branch of a race or TaskGroup is cancelled, the flow goes on at once. Cleanup that "
    "waits would still be under way then.",
)
UNKNOWN_DECORATOR = Rule(
    "PDR125",
    "what the decorator `@{decorator}` makes of `{function}` cannot be told from the source",
    "remove it, or call its work inside a step",
    "A decorator may replace the function by anything. perdure knows `@flow`, `@step`, those of "
    "the standard library that keep the function, and decorators of the project that it can read.",
)
ITERATOR_ACROSS_OPERATION = Rule(
    "PDR126",
    "`{what}` cannot be kept across an operation",
    "write `list({what})`",
    "A half-used iterator cannot be stored. Lists, tuples, text, ranges, dicts and their views, "
    "and enumerate, zip and reversed of these are kept with a cursor, as is itertools.count.",
)
TASK_OUTSIDE_GROUP = Rule(
    "PDR127",
    "`{call}` starts a task that nothing joins",
    "write `async with asyncio.TaskGroup() as group:` and `group.create_task(...)`",
    "A task without a group lives as long as its event loop, and a flow outlives many of these. "
    "`await other.start(...)` starts a child that nobody waits for.",
)
AS_COMPLETED = Rule(
    "PDR128",
    "`{call}` hands out results in the order of time",
    "write `await quorum(k, ...)` for the first k, or `await gather(...)` for all",
    "Which branch ended first is recorded by `race` and `quorum`, and by nothing else.",
)
ASYNCIO_WAIT = Rule(
    "PDR129",
    "`{call}` gives sets of tasks, which cannot be kept across an operation",
    "write `await race(...)` for the first, or `await gather(...)` for all",
    "`race` gives the name and the value of the branch that ended first and cancels the rest.",
)
SHIELD = Rule(
    "PDR130",
    "`{call}` would go on after its flow was cancelled",
    "put the operation into `finally:`, or start a child with `await other.start(...)`",
    "A step that runs when its flow is cancelled ends and is recorded in any case; `finally` runs "
    "its operations then too.",
)
QUEUE = Rule(
    "PDR131",
    "a flow cannot use `{call}`",
    "keep a list, and wait for what comes from outside with `await event(...)`",
    "A queue joins tasks by the order of time, which is not recorded.",
)
LOCK = Rule(
    "PDR132",
    "a flow cannot use `{call}`",
    "order the work with `await` in sequence, `TaskGroup`, `race` or `event`",
    "Branches share nothing that could need a lock. `asyncio.Semaphore` around a whole branch is "
    "`limit=` of `gather` and may stay.",
)
ASYNC_FOR = Rule(
    "PDR133",
    "a flow cannot contain `async for`",
    "read the items in a step that returns a list, and use `for`",
    "An asynchronous iterator holds a connection or a task, which cannot be stored between two "
    "items.",
)
OTHER_ASYNCIO = Rule(
    "PDR134",
    "`{call}` belongs to an event loop, and a flow outlives its loop",
    "use `gather`, `race`, `sleep`, `asyncio.timeout` or `asyncio.TaskGroup`, or move it to a step",
    "Operations of a flow are run by its engine; there is no loop, future or handle to reach.",
)
WITH_IO = Rule(
    "PDR135",
    "`{what}` holds something open that no other process has",
    "open, use and close it inside one step",
    "The block of a `with` may last for days and continue elsewhere. A flow may use timeouts, "
    "TaskGroup, `suppress` and context managers of the project that are pure.",
)
CANNOT_CROSS = Rule(
    "PDR136",
    "a value of type `{type}` cannot cross {border}",
    "{instead}",
    "What enters or leaves a step, a child flow, an event or a branch is stored, and so is every "
    "local that is needed after an operation. Plain data, dataclasses, pydantic models, enums, "
    "dates, errors and project functions can be; open files, connections, locks, buffers, objects "
    "of plain classes, generators and tasks cannot.",
)
SECRET_CANNOT_CROSS = Rule(
    "PDR137",
    "a secret (`{type}`) cannot cross {border}",
    "read the secret inside the step that needs it",
    "What a flow holds is stored and shown. A secret never enters that.",
)
BRANCH_WRITES_SHARED = Rule(
    "PDR138",
    "this branch writes `{name}`, which {reader} reads",
    "return the value from the branch, and use the result of the `{fork}`",
    "Branches run side by side, on some engines in different processes: a write would be seen "
    "early, late or never.",
)
CHANGE_ACROSS_BRANCH = Rule(
    "PDR139",
    "this branch changes `{name}`, a value made outside of it",
    "{instead}",
    "A branch gets its values by value. What it does to them is not seen outside.",
)
CHANGE_ACROSS_FLOW = Rule(
    "PDR140",
    "`{flow}` changes its parameter `{name}`, and its caller uses the value afterwards",
    "return the changed value from `{flow}`, and use the result",
    "A child flow gets its arguments by value. What it does to them is not seen by its caller.",
)
RECURSIVE_HELPER_CHANGES = Rule(
    "PDR141",
    "the recursive helper `{helper}` changes `{name}` of its caller",
    "return the changed value from `{helper}`",
    "A recursive helper that awaits runs as a child flow, and a child flow gets its arguments by "
    "value.",
)
DYNAMIC_CODE = Rule(
    "PDR142",
    "what `{call}` does is known only when it runs",
    "write the code out, or move the call into a step",
    "perdure follows every name of a flow from its source.",
)
CLASS_IN_FLOW = Rule(
    "PDR143",
    "a class cannot be defined inside a flow",
    "move `class {name}` to the top of the file",
    "Values find their class again by module and name; a class made anew in every process has "
    "neither.",
)
STAR_IMPORT = Rule(
    "PDR144",
    "the names that `from {module} import *` brings cannot be told from the source",
    "import the names you use: `from {module} import ...`",
    "perdure does not import other packages, so it does not know what they export.",
)
OPERATION_AS_VALUE = Rule(
    "PDR145",
    "the operation `{call}` is used as a value",
    "call it here, or wrap it: `lambda: {call}(...)`",
    "An operation is recorded under the place of its call, so the call has to stand in the source.",
)
ASYNC_GENERATOR = Rule(
    "PDR146",
    "a generator expression with `await` in it is an asynchronous iterator",
    "write a list: `[... for ... in ...]`",
    "Functions like `sum` and `any` cannot go over an asynchronous iterator, in CPython neither.",
)
HANDLE_RESULT = Rule(
    "PDR147",
    "a flow cannot wait for the result of another run (`{call}`)",
    "await the flow itself as a child, `await other(...)`, or let the run send an event back",
    "`start` makes a run that nobody waits for. A flow that needs a result awaits a child flow; a "
    "run that was started sends it with `await flow.run(id).send(...)`.",
)
DEFAULT_NOT_FIXED = Rule(
    "PDR148",
    "the default of `{name}` is not one fixed value",
    "write `{name}=None`, and compute the value in the body",
    "A default is computed once in every process that imports the module, so it may differ between "
    "the processes one run goes through.",
)
CACHED_RECORD = Rule(
    "PDR149",
    "`@{decorator}` keeps what `{function}` did in one process",
    "remove `@{decorator}`, or cache a function that only computes",
    "What a flow reads of the clock, logs or awaits is recorded each time. A cache would answer "
    "from the process the flow happens to run in, and from other runs.",
)
SEMAPHORE_IN_BRANCH = Rule(
    "PDR150",
    "the semaphore `{name}` is not around a whole branch",
    "put `async with {name}:` around all that the branch does, or write `gather(..., limit=n)`",
    "Branches run side by side, on some engines in different processes, and the engine starts only "
    "so many of them at a time. It cannot hold a branch up in its middle. A part that has to be "
    "limited alone is a `gather(..., limit=n)` of its own.",
)
CLOCK_KEPT = Rule(
    "PDR151",
    "`{call}` is kept outside of the flow, where what it reads is not recorded",
    "call `{call}` in the flow, and pass what it gives",
    "A default and a constant of a module are made once, when it is imported. What is called in "
    "the flow by its name is recorded, so that a run sees the same value whenever it goes on.",
)
MUTABLE_DEFAULT = Rule(
    "PDR152",
    "the default of `{name}` is one value for all calls, and this changes it",
    "write `{name}=None`, and `if {name} is None: {name} = {default}` as the first line",
    "The default is made once in a process. Runs take turns in one process and one run goes "
    "through many, so what earlier calls left in it would be another thing each time.",
)
