"""`step`, `flow`, `Step`, `Flow` and `Retry`: what a flow file declares.

Outside a run these are plain Python: calling a step or a flow calls its function. Inside a
run the front end has rewritten the calls, so that `perdure.runtime.calls` sees them.
"""

import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final, overload

from perdure.durations import seconds_of

if TYPE_CHECKING:
    from inspect import Signature

    from perdure.durations import Duration
    from perdure.operations import Handle
    from perdure.runtime.site import Site
    from perdure.triggers import Trigger

__all__ = ["DEFAULT_TIMEOUT", "Flow", "Retry", "Step", "flow", "step"]

DEFAULT_TIMEOUT = 600.0
"""Seconds an attempt may take where nothing else is said; the same on every target."""


@final
class Retry:
    """When, and how often, a step or a child flow is tried again. `attempts` count the first."""

    __slots__ = ("attempts", "backoff", "delay", "jitter", "max_delay", "not_on", "on")

    attempts: int | None
    delay: float
    backoff: float
    max_delay: float
    jitter: bool
    on: tuple[type[BaseException], ...]
    not_on: tuple[type[BaseException], ...]

    def __init__(
        self,
        attempts: int | None = 3,
        delay: "Duration" = 1.0,
        backoff: float = 2.0,
        max_delay: "Duration" = 60.0,
        *,
        jitter: bool = True,
        on: Sequence[type[BaseException]] = (Exception,),
        not_on: Sequence[type[BaseException]] = (),
    ) -> None:
        if attempts is not None and attempts < 1:
            raise ValueError("attempts count the first one: at least 1, or None for no limit")
        if backoff <= 0:
            raise ValueError("backoff is a factor above 0")
        put = object.__setattr__
        put(self, "attempts", attempts)
        put(self, "delay", _not_negative("delay", delay))
        put(self, "backoff", float(backoff))
        put(self, "max_delay", _not_negative("max_delay", max_delay))
        put(self, "jitter", jitter)
        put(self, "on", tuple(on))
        put(self, "not_on", tuple(not_on))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Retry is frozen: make another one to change {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Retry) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in Retry.__slots__)
        return f"Retry({fields})"

    def __perdure_encode__(self) -> object:
        """For the codec: a policy may sit in a flow's locals."""
        return self._key()

    @classmethod
    def __perdure_decode__(cls, state: Any) -> "Retry":
        """For the codec."""
        attempts, delay, backoff, max_delay, jitter, on, not_on = state
        return cls(attempts, delay, backoff, max_delay, jitter=jitter, on=on, not_on=not_on)

    def _key(self) -> tuple[object, ...]:
        return (
            self.attempts,
            self.delay,
            self.backoff,
            self.max_delay,
            self.jitter,
            self.on,
            self.not_on,
        )


@final
class Step[**P, R]:
    """A function that runs at least once and is recorded exactly once."""

    def __init__(
        self,
        function: Callable[P, Awaitable[R] | R],
        *,
        retry: int | Retry | None = None,
        timeout: "Duration | None" = None,
        name: str | None = None,
        group: str | None = None,
        home: Mapping[str, object] | None = None,
        origin: "Step[P, R] | None" = None,
    ) -> None:
        self.__wrapped__ = function
        self.__doc__ = function.__doc__
        self.__name__: str = getattr(function, "__name__", type(function).__name__)
        self.retry = Retry(attempts=retry) if isinstance(retry, int) else retry
        self.timeout = DEFAULT_TIMEOUT if timeout is None else _positive("timeout", timeout)
        self.group = group
        self._name = name
        self._home = home
        self._origin = origin
        self._signature: Signature | None = None

    @property
    def name(self) -> str:
        """As given, or what the step is called in its module."""
        if self._name is not None:
            return self._name
        return self.__perdure_ref__.partition(":")[2].rpartition(".")[2]

    @property
    def __perdure_ref__(self) -> str:
        """`module:qualname` under which the step is found again where it runs."""
        return self._origin.__perdure_ref__ if self._origin else _reference(self, self._home)

    @property
    def signature(self) -> "Signature":
        """The parameters of the function; read once."""
        if self._signature is None:
            from inspect import signature

            self._signature = signature(self.__wrapped__)
        return self._signature

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, object, R]:
        """The function's coroutine; in a run the call is an operation."""
        site = _site_of_call()
        if site is not None:
            done: Coroutine[object, object, R] = _operation(site, self, args, kwargs)
            return done
        return _plain(self.__wrapped__, *args, **kwargs)

    def options(
        self,
        *,
        retry: int | Retry | None = None,
        timeout: "Duration | None" = None,
        name: str | None = None,
        group: str | None = None,
    ) -> "Step[P, R]":
        """The same step with another policy: `await charge.options(timeout="5m")(order)`."""
        return Step(
            self.__wrapped__,
            retry=self.retry if retry is None else retry,
            timeout=self.timeout if timeout is None else timeout,
            name=self._name if name is None else name,
            group=self.group if group is None else group,
            home=self._home,
            origin=self._origin or self,
        )

    def __repr__(self) -> str:
        return f"<step {self.__perdure_ref__}>"


def _site_of_call() -> "Site | None":
    """Where a step or flow is called from, in a module whose call sites are found by place."""
    here = sys.modules.get("perdure.runtime.here")
    return None if here is None else here.site_of(sys._getframe(2))  # pyright: ignore[reportPrivateUsage]  # no other way


def _operation(site: "Site", callee: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    from perdure.runtime.calls import call

    return call(site, callee, *args, **kwargs)


def policy_of(step: Step[..., Any]) -> tuple[Any, ...] | None:
    """What `step.options(...)` has changed, None for a step as it is in its module."""
    if step._origin is None:  # pyright: ignore[reportPrivateUsage]  # its own module
        return None
    return step.retry, step.timeout, step.name, step.group


def with_policy(step: Step[..., Any], policy: tuple[Any, ...] | None) -> Step[..., Any]:
    """The step with that policy again."""
    if policy is None:
        return step
    retry, timeout, name, group = policy
    return step.options(retry=retry, timeout=timeout, name=name, group=group)


@final
class Flow[**P, R]:
    """A durable function: called, it is a child flow; `start`ed, a run of its own."""

    def __init__(
        self,
        function: Callable[P, Coroutine[Any, Any, R]],
        *,
        retry: int | Retry | None = None,
        on: "Trigger | Sequence[Trigger]" = (),
        home: Mapping[str, object] | None = None,
    ) -> None:
        self.__wrapped__ = function
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.on: tuple[Trigger, ...] = tuple(on) if isinstance(on, Sequence) else (on,)
        self.retry = Retry(attempts=retry) if isinstance(retry, int) else retry
        self._home = home
        self._signature: Signature | None = None

    @property
    def name(self) -> str:
        """The function's name."""
        return self.__name__

    @property
    def __perdure_ref__(self) -> str:
        """`module:qualname` under which the flow is found again where it runs."""
        return _reference(self, self._home)

    @property
    def signature(self) -> "Signature":
        """The parameters of the function; read once."""
        if self._signature is None:
            from inspect import signature

            self._signature = signature(self.__wrapped__)
        return self._signature

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, object, R]:
        """The function's coroutine; in a run the call is an operation."""
        site = _site_of_call()
        if site is not None:
            done: Coroutine[object, object, R] = _operation(site, self, args, kwargs)
            return done
        return self.__wrapped__(*args, **kwargs)

    async def start(
        self,
        *args: Any,  # not P.args: PEP 612 allows no keyword of ours between them and P.kwargs
        id: str | None = None,
        on: str | None = None,
        **kwargs: Any,
    ) -> "Handle[R]":
        """Start a run, in the environment `on`; `id` makes the start idempotent."""
        from perdure.runtime.clients import connect
        from perdure.runtime.values import encode_call

        arguments = encode_call(self, args, kwargs)
        return self.run(await connect(on).start(self, arguments, id), on=on)

    def run(self, id: str, *, on: str | None = None) -> "Handle[R]":
        """The handle of an existing run."""
        from perdure.operations import Handle

        return Handle(id, on=on)

    def __repr__(self) -> str:
        return f"<flow {self.__perdure_ref__}>"


@overload
def step[**P, R](function: Callable[P, Awaitable[R]], /) -> Step[P, R]: ...
@overload
def step[**P, R](function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *,
    retry: int | Retry | None = None,
    timeout: "Duration | None" = None,
    name: str | None = None,
    group: str | None = None,
) -> "_StepDecorator": ...
def step(
    function: Callable[..., object] | None = None,
    /,
    *,
    retry: int | Retry | None = None,
    timeout: "Duration | None" = None,
    name: str | None = None,
    group: str | None = None,
) -> Any:  # what the overloads say
    """Make a function a durable step: `@step`, `@step(retry=3)` or `fetch = step(client.get)`."""
    decorate = _StepDecorator(retry, timeout, name, group, _module_of_caller())
    return decorate if function is None else decorate(function)


@overload
def flow[**P, R](function: Callable[P, Coroutine[Any, Any, R]], /) -> Flow[P, R]: ...
@overload
def flow(
    *, retry: int | Retry | None = None, on: "Trigger | Sequence[Trigger]" = ()
) -> "_FlowDecorator": ...
def flow(
    function: Callable[..., Coroutine[Any, Any, object]] | None = None,
    /,
    *,
    retry: int | Retry | None = None,
    on: "Trigger | Sequence[Trigger]" = (),
) -> Any:  # what the overloads say
    """Make an `async def` a durable flow: `@flow`, `@flow(retry=3)`, `@flow(on=Webhook(...))`."""
    decorate = _FlowDecorator(retry, on, _module_of_caller())
    return decorate if function is None else decorate(function)


@final
class _StepDecorator:
    def __init__(
        self,
        retry: int | Retry | None,
        timeout: "Duration | None",
        name: str | None,
        group: str | None,
        home: Mapping[str, object],
    ) -> None:
        self._retry, self._timeout = retry, timeout
        self._name, self._group, self._home = name, group, home

    @overload
    def __call__[**P, R](self, function: Callable[P, Awaitable[R]], /) -> Step[P, R]: ...
    @overload
    def __call__[**P, R](self, function: Callable[P, R], /) -> Step[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Any:  # what the overloads say
        return Step(
            function,
            retry=self._retry,
            timeout=self._timeout,
            name=self._name,
            group=self._group,
            home=self._home,
        )


@final
class _FlowDecorator:
    def __init__(
        self,
        retry: int | Retry | None,
        on: "Trigger | Sequence[Trigger]",
        home: Mapping[str, object],
    ) -> None:
        self._retry, self._on, self._home = retry, on, home

    def __call__[**P, R](self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Flow[P, R]:
        return Flow(function, retry=self._retry, on=self._on, home=self._home)


def _module_of_caller() -> Mapping[str, object]:
    """The globals of the module that declares: where a step gets its name and reference."""
    return sys._getframe(2).f_globals  # pyright: ignore[reportPrivateUsage]  # no public way


async def _plain[**P, R](
    function: Callable[P, Awaitable[R] | R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """A step without an engine: its function, awaited if it is a coroutine function."""
    value: Any = function(*args, **kwargs)
    if hasattr(value, "__await__"):
        value = await value
    result: R = value
    return result


def _reference(item: Step[..., Any] | Flow[..., Any], home: Mapping[str, object] | None) -> str:
    """Where `item` is bound: under its function's name, else wherever its module has it."""
    function = item.__wrapped__
    module: str = getattr(function, "__module__", None) or "builtins"
    qualname: str = getattr(function, "__qualname__", item.__name__)
    if home is None or home.get(qualname) is item:
        return f"{module}:{qualname}"
    names = [name for name, value in home.items() if value is item]
    if names:
        return f"{home['__name__']}:{names[0]}"
    return f"{module}:{qualname}"


def _positive(what: str, duration: "Duration") -> float:
    seconds = seconds_of(duration)
    if seconds <= 0:
        raise ValueError(f"{what} is a duration above 0, not {duration!r}")
    return seconds


def _not_negative(what: str, duration: "Duration") -> float:
    seconds = seconds_of(duration)
    if seconds < 0:
        raise ValueError(f"{what} is a duration of at least 0, not {duration!r}")
    return seconds
