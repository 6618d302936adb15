"""What the names outside the project mean in a flow: data, one table for each kind of meaning.

Keys are dotted names as resolved through imports (`asyncio.sleep`, whatever it was imported as).
"""


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


__all__ = [
    "BUILTIN_IMPURE",
    "CHANGES_FIRST",
    "CONSUMES_COROUTINES",
    "DECORATORS",
    "GIVES_AN_ITEM",
    "ITERATOR_MAKERS",
    "LOGGER_FACTORIES",
    "LOG_METHODS",
    "MUTATORS",
    "NATIVES",
    "READS",
    "REFUSED",
    "THREAD_MODULES",
    "WHOLE",
    "is_pure",
]

NATIVES: dict[str, str] = {
    "perdure.event": "event",
    "perdure.sleep": "sleep",
    "perdure.gather": "gather",
    "perdure.race": "race",
    "perdure.quorum": "quorum",
    "perdure.progress": "progress",
    "perdure.reply": "reply",
    "perdure.this_run": "this_run",
    "asyncio.sleep": "sleep",
    "asyncio.gather": "gather",
    "asyncio.wait_for": "wait_for",
    "asyncio.timeout": "timeout",
    "asyncio.timeout_at": "timeout_at",
    "asyncio.TaskGroup": "task_group",
}
NATIVES.update(
    (f"asyncio.{module}.{name}", native)
    for module, name, native in (
        ("tasks", "sleep", "sleep"),
        ("tasks", "gather", "gather"),
        ("tasks", "wait_for", "wait_for"),
        ("timeouts", "timeout", "timeout"),
        ("timeouts", "timeout_at", "timeout_at"),
        ("taskgroups", "TaskGroup", "task_group"),
    )
)
NATIVES.update(
    (f"perdure.operations.{name}", native)
    for name, native in (
        ("event", "event"),
        ("sleep", "sleep"),
        ("gather", "gather"),
        ("race", "race"),
        ("quorum", "quorum"),
        ("progress", "progress"),
        ("reply", "reply"),
        ("this_run", "this_run"),
    )
)

READS: dict[str, str] = {
    "datetime.datetime.now": "now",
    "datetime.datetime.utcnow": "utcnow",
    "datetime.datetime.today": "today",
    "datetime.date.today": "date_today",
    "time.time": "time",
    "time.time_ns": "time_ns",
    "time.monotonic": "monotonic",
    "time.monotonic_ns": "monotonic_ns",
    "time.perf_counter": "perf_counter",
    "time.perf_counter_ns": "perf_counter_ns",
    "uuid.uuid4": "uuid4",
    "uuid.uuid1": "uuid1",
    "random.random": "random",
    "time.gmtime": "gmtime",
    "time.localtime": "localtime",
    "time.ctime": "ctime",
    "time.asctime": "asctime",
    "time.strftime": "strftime",
}
"""Dotted name to the form of `__perdure__` that records it."""

RANDOM_METHODS = words(
    "betavariate binomialvariate choice choices expovariate gammavariate gauss getrandbits "
    "lognormvariate normalvariate paretovariate randbytes randint randrange sample shuffle "
    "triangular uniform vonmisesvariate weibullvariate"
)
READS.update((f"random.{name}", "rng") for name in RANDOM_METHODS)

LOG_METHODS = words("debug info warning warn error exception critical fatal log")
LOGGER_FACTORIES = frozenset({"getLogger", "get_logger", "getChild"})
LOGGERS = frozenset({"loguru.logger"})
LOGGER_NAMES = frozenset({"log", "logger", "_log", "_logger", "LOG", "LOGGER"})

REFUSED: dict[str, str] = {
    "asyncio.create_task": "TASK_OUTSIDE_GROUP",
    "asyncio.ensure_future": "TASK_OUTSIDE_GROUP",
    "asyncio.Task": "TASK_OUTSIDE_GROUP",
    "asyncio.as_completed": "AS_COMPLETED",
    "asyncio.wait": "ASYNCIO_WAIT",
    "asyncio.shield": "SHIELD",
    "asyncio.Queue": "QUEUE",
    "asyncio.PriorityQueue": "QUEUE",
    "asyncio.LifoQueue": "QUEUE",
    "asyncio.Lock": "LOCK",
    "asyncio.Event": "LOCK",
    "asyncio.Condition": "LOCK",
    "asyncio.Barrier": "LOCK",
    "asyncio.BoundedSemaphore": "LOCK",
    "asyncio.to_thread": "THREADS",
    "asyncio.run_coroutine_threadsafe": "THREADS",
    "sys.exc_info": "ERROR_ATTRIBUTE",
    "builtins.hash": "HASH",
    "builtins.id": "IDENTITY",
    "builtins.eval": "DYNAMIC_CODE",
    "builtins.exec": "DYNAMIC_CODE",
    "builtins.compile": "DYNAMIC_CODE",
    "builtins.__import__": "DYNAMIC_CODE",
    "builtins.globals": "DYNAMIC_CODE",
    "builtins.locals": "DYNAMIC_CODE",
    "importlib.import_module": "DYNAMIC_CODE",
}
"""Dotted name to the name of the rule that refuses its call."""

ASYNCIO_PURE = frozenset(
    {
        "asyncio.iscoroutinefunction",
        "asyncio.iscoroutine",
        "asyncio.CancelledError",
        "asyncio.TimeoutError",
        "asyncio.InvalidStateError",
    }
)

THREAD_MODULES = frozenset({"threading", "_thread", "multiprocessing", "concurrent", "queue"})

BUILTIN_IMPURE = frozenset({"open", "input", "breakpoint", "help", "exit", "quit", "copyright"})

WHOLE = words(
    "__future__ abc array ast base64 binascii bisect calendar cmath codecs collections "
    "collections.abc colorsys copy copyreg dataclasses datetime decimal difflib enum fnmatch "
    "fractions functools graphlib heapq hmac html html.entities html.parser ipaddress "
    "itertools json keyword math numbers operator posixpath ntpath pprint re reprlib shlex "
    "statistics string string.templatelib struct textwrap types typing typing_extensions "
    "unicodedata urllib.parse uuid xml.sax.saxutils zlib zoneinfo stringprep token "
    "email.utils email.header email.message email.mime.text tomllib csv io pathlib contextlib "
    "perdure pydantic pydantic_core annotated_types builtins random hashlib time "
    "xml.etree.ElementTree quopri opcode contextvars traceback inspect os.path"
)
"""Modules whose functions are pure, but for those named in `_EXCEPT`."""

_EXCEPT: dict[str, frozenset[str]] = {
    "json": frozenset({"load", "dump"}),
    "tomllib": frozenset({"load"}),
    "hashlib": frozenset({"file_digest"}),
    "uuid": frozenset({"getnode", "_load_system_functions"}),
    "random": frozenset({"seed", "setstate", "getstate", "SystemRandom"}),
    "codecs": frozenset({"open", "register"}),
    "io": frozenset({"open", "open_code", "FileIO", "BufferedReader"}),
    "pprint": frozenset({"pprint", "pp"}),
    "ast": frozenset(),
    "email.utils": frozenset({"localtime", "make_msgid", "formatdate"}),
    "calendar": frozenset({"prmonth", "prcal"}),
    "base64": frozenset({"encode", "decode", "main"}),
    "xml.etree.ElementTree": frozenset({"parse", "iterparse", "dump"}),
    "contextvars": frozenset({"copy_context"}),
    "traceback": frozenset(
        {
            "print_exc",
            "print_exception",
            "print_stack",
            "format_exc",
            "extract_stack",
            "format_stack",
            "extract_tb",
            "format_tb",
            "print_tb",
            "format_exception",
            "print_last",
            "walk_tb",
            "walk_stack",
        }
    ),
    "inspect": frozenset({"currentframe", "stack", "trace", "getsource", "getsourcelines"}),
    "os.path": frozenset(
        {
            "exists",
            "isfile",
            "isdir",
            "getsize",
            "getmtime",
            "getatime",
            "getctime",
            "islink",
            "realpath",
            "abspath",
            "expanduser",
            "expandvars",
            "lexists",
            "ismount",
            "samefile",
            "relpath",
        }
    ),
    "time": frozenset(
        {
            "sleep",
            "process_time",
            "process_time_ns",
            "thread_time",
            "clock_gettime",
            "tzset",
            "get_clock_info",
        }
    ),
    "decimal": frozenset({"setcontext"}),
    "zoneinfo": frozenset({"reset_tzpath"}),
    "csv": frozenset({"register_dialect"}),
    "perdure": frozenset({"approval_link"}),
    "contextlib": frozenset({"redirect_stdout", "redirect_stderr", "chdir"}),
}

_SINGLE = frozenset(
    {
        "sys.intern",
        "sys.getsizeof",
        "os.fspath",
        "os.fsdecode",
        "os.fsencode",
        "logging.getLogger",
        "logging.getLevelName",
        "structlog.get_logger",
        "weakref.proxy",
        "mimetypes.guess_extension",
        "inspect.iscoroutinefunction",
        "secrets.compare_digest",
    }
)

NEEDS_ARGUMENT: dict[str, int] = {
    "time.gmtime": 1,
    "time.strftime": 2,
    "time.asctime": 1,
    "random.Random": 1,
}
"""Pure when called with at least that many arguments; without them they read the world."""

MODULE_FACTS = frozenset(
    {"sys.maxsize", "sys.version_info", "sys.byteorder", "os.sep", "os.linesep"}
)

PATH_IO = words(
    "absolute chmod copy copy_into cwd exists expanduser glob group hardlink_to home "
    "is_block_device is_char_device is_dir is_fifo is_file is_mount is_socket is_symlink "
    "iterdir lchmod lstat mkdir move open owner read_bytes read_text readlink rename replace "
    "resolve rglob rmdir samefile stat symlink_to touch unlink walk write_bytes write_text"
)
"""Methods of `pathlib.Path` that touch the file system."""

MUTATORS = words(
    "append extend insert remove pop popitem clear update setdefault add discard sort reverse "
    "appendleft extendleft popleft rotate intersection_update difference_update subtract "
    "symmetric_difference_update move_to_end __setitem__ __delitem__ __iadd__"
)
"""Methods of the containers that change them in place."""

GIVES_AN_ITEM = frozenset({"get", "pop", "popleft", "setdefault"})
"""Methods of containers: `await waiting.pop()` awaits a coroutine that was put there."""

CHANGES_FIRST = frozenset(
    {
        "bisect.insort",
        "bisect.insort_left",
        "bisect.insort_right",
        "builtins.delattr",
        "builtins.setattr",
        "heapq.heapify",
        "heapq.heappop",
        "heapq.heappush",
        "heapq.heappushpop",
        "heapq.heapreplace",
        "operator.delitem",
        "operator.setitem",
        "random.shuffle",
    }
)
"""Functions that change their first argument in place."""

CONSUMES_COROUTINES = frozenset(
    f"builtins.{name}"
    for name in [
        "list",
        "tuple",
        "dict",
        "reversed",
        "zip",
        "enumerate",
        "iter",
        "next",
        "filter",
        "map",
        "set",
        "isinstance",
        "type",
        "callable",
        "getattr",
        "hasattr",
    ]
)
"""Builtins that may be given coroutine values: they only hold them."""

MAPS = frozenset({"builtins.map", "itertools.starmap"})
CALLS_ITS_ARGUMENT = words(
    "builtins.sorted builtins.min builtins.max builtins.filter functools.reduce builtins.iter "
    "itertools.groupby itertools.takewhile itertools.dropwhile itertools.filterfalse "
    "itertools.accumulate re.sub"
)
"""Functions that call what they are given, and look into what it returns."""

ORDER_BLIND = frozenset(
    f"builtins.{name}"
    for name in [
        "sorted",
        "len",
        "any",
        "all",
        "min",
        "max",
        "sum",
        "set",
        "frozenset",
        "bool",
        "isinstance",
    ]
)
"""Builtins that may be given a set: its order does not show in the result."""

SHOWS_ORDER = frozenset(
    f"builtins.{name}"
    for name in [
        "list",
        "tuple",
        "iter",
        "next",
        "enumerate",
        "zip",
        "map",
        "filter",
        "str",
        "repr",
        "format",
        "print",
        "reversed",
    ]
) | {
    "json.dumps",
    "itertools.chain",
    "itertools.islice",
    "itertools.product",
    "itertools.permutations",
    "itertools.combinations",
    "collections.deque",
    "builtins.dict.fromkeys",
    "functools.reduce",
    "itertools.accumulate",
    "itertools.cycle",
    "random.choice",
    "random.sample",
    "random.choices",
}

ITERATOR_MAKERS = frozenset(
    f"builtins.{name}" for name in ["iter", "map", "filter", "zip", "enumerate", "reversed"]
)
LIVE_CURSORS = frozenset(
    f"builtins.{name}" for name in ["enumerate", "zip", "reversed", "range"]
) | {"itertools.count"}
"""What `for` may go over across an operation, besides containers and their views."""

SETS = frozenset(
    {
        "builtins.set",
        "builtins.frozenset",
        "typing.Set",
        "typing.FrozenSet",
        "typing.AbstractSet",
        "collections.abc.Set",
        "typing.MutableSet",
        "collections.abc.MutableSet",
    }
)

SECRETS = frozenset(
    {
        "pydantic.SecretStr",
        "pydantic.SecretBytes",
        "pydantic.types.SecretStr",
        "pydantic.types.SecretBytes",
        "pydantic.Secret",
        "perdure.Secret",
        "perdure.secret",
        "perdure.secrets.Secret",
        "perdure.secrets.secret",
    }
)

DECORATORS = frozenset(
    {
        "builtins.staticmethod",
        "builtins.classmethod",
        "builtins.property",
        "functools.wraps",
        "functools.cache",
        "functools.lru_cache",
        "functools.cached_property",
        "functools.singledispatch",
        "functools.total_ordering",
        "functools.singledispatchmethod",
        "abc.abstractmethod",
        "typing.override",
        "typing.overload",
        "typing.final",
        "typing.no_type_check",
        "typing.deprecated",
        "warnings.deprecated",
        "typing_extensions.override",
        "typing_extensions.overload",
        "typing_extensions.final",
        "typing_extensions.deprecated",
        "contextlib.contextmanager",
        "contextlib.asynccontextmanager",
        "pydantic.field_validator",
        "pydantic.model_validator",
        "pydantic.computed_field",
        "pydantic.field_serializer",
        "pydantic.model_serializer",
        "pydantic.validate_call",
        "pydantic.validator",
        "pydantic.root_validator",
        "perdure.step",
        "perdure.flow",
        "perdure.language.step",
        "perdure.language.flow",
    }
)
"""Decorators that leave a function what it is, as far as a flow is concerned."""

CANNOT_CROSS = words(
    "io.TextIOWrapper io.BufferedReader io.BufferedWriter io.FileIO io.IOBase io.TextIOBase "
    "io.StringIO io.BytesIO typing.IO typing.TextIO typing.BinaryIO socket.socket "
    "threading.Thread threading.Lock threading.Event asyncio.Task asyncio.Future asyncio.Queue "
    "asyncio.Lock asyncio.Event asyncio.TaskGroup asyncio.AbstractEventLoop "
    "sqlite3.Connection sqlite3.Cursor subprocess.Popen "
    "typing.Generator typing.Iterator typing.AsyncIterator typing.AsyncGenerator "
    "collections.abc.Generator collections.abc.Iterator collections.abc.AsyncIterator "
    "collections.abc.AsyncGenerator types.GeneratorType types.ModuleType types.FrameType"
)
"""Types whose values no codec carries."""

MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})

FROZEN_CALLS = frozenset(
    {
        "datetime.timedelta",
        "datetime.datetime",
        "datetime.date",
        "datetime.time",
        "datetime.timezone",
        "zoneinfo.ZoneInfo",
        "decimal.Decimal",
        "fractions.Fraction",
        "uuid.UUID",
        "re.compile",
        "perdure.Retry",
        "perdure.language.Retry",
        "builtins.frozenset",
        "builtins.tuple",
        "builtins.range",
        "builtins.str",
        "builtins.int",
        "builtins.float",
        "builtins.bool",
        "builtins.bytes",
        "builtins.len",
        "builtins.min",
        "builtins.max",
        "builtins.sum",
        "builtins.round",
        "builtins.abs",
        "builtins.sorted",
        "pathlib.Path",
        "pathlib.PurePath",
        "pathlib.PurePosixPath",
        "types.MappingProxyType",
        "string.Template",
        "operator.itemgetter",
        "operator.attrgetter",
        "functools.partial",
        "textwrap.dedent",
        "typing.TypeVar",
        "typing.NewType",
        "typing.ParamSpec",
        "typing.NamedTuple",
        "typing.TypedDict",
        "typing.cast",
        "collections.namedtuple",
        "enum.Enum",
        "enum.IntEnum",
        "enum.StrEnum",
        "enum.Flag",
        "builtins.dict",
        "builtins.list",
        "builtins.chr",
        "builtins.ord",
        "pydantic.TypeAdapter",
        "json.loads",
        "builtins.property",
        "typing.TypeAliasType",
        "math.sqrt",
        "math.log",
        "contextvars.ContextVar",
    }
)
"""Calls that give a fixed value when their arguments are fixed."""


def is_pure(dotted: str, arguments: int, allowed: frozenset[str]) -> bool:
    """Whether a callable outside the project is pure, as far as the tables (and settings) say."""
    if dotted in allowed or dotted in _SINGLE or dotted in ASYNCIO_PURE:
        return True
    if dotted in NEEDS_ARGUMENT:
        return arguments >= NEEDS_ARGUMENT[dotted]
    module, _, rest = dotted.rpartition(".")
    head = rest
    while module:
        if module in allowed or f"{module}.*" in allowed:
            return True
        if module in WHOLE:
            return _pure_member(module, head, rest)
        module, _, head = module.rpartition(".")
    return False


def _pure_member(module: str, head: str, last: str) -> bool:
    if head in _EXCEPT.get(module, ()):
        return False
    if module == "builtins":
        return head not in BUILTIN_IMPURE
    return not (module == "pathlib" and last in PATH_IO)
