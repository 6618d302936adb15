"""The steps of a workflow, executed: a generator that stops wherever a step has to wait.

https://cloud.google.com/workflows/docs/reference/syntax/steps
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, assert_never, final

from perdure_gcp.workflows.calls import Calls
from perdure_gcp.workflows.environment import Environment, replaced
from perdure_gcp.workflows.evaluate import calls_routines, evaluate, fill, results_first
from perdure_gcp.workflows.execution import Execution
from perdure_gcp.workflows.limits import value_of
from perdure_gcp.workflows.problems import WorkflowError, failure
from perdure_gcp.workflows.retries import Policy
from perdure_gcp.workflows.scopes import Scope, scopes_of
from perdure_gcp.workflows.syntax import (
    Action,
    Assign,
    CallStep,
    For,
    Group,
    Next,
    Parallel,
    Raise,
    Return,
    Routine,
    Step,
    Switch,
    Template,
    Try,
)
from perdure_gcp.workflows.values import Function, Undocumented, Value, is_number, type_name
from perdure_gcp.workflows.waits import Fork, Pause, Until, Work

__all__ = ["Runner"]


@final
class _Jump(NamedTuple):
    """Control goes to a step of this name, in a list of steps around; or `break`, `continue`."""

    target: str


@final
class _Returned(NamedTuple):
    """The routine ends with a value."""

    value: Value


type _Outcome = _Jump | _Returned | None

KINDS: Final[dict[type, str]] = {
    Assign: "STEP_ASSIGN",
    CallStep: "STEP_CALL",
    Switch: "STEP_SWITCH",
    For: "STEP_FOR",
    Parallel: "STEP_PARALLEL_FOR",
    Try: "STEP_TRY",
    Raise: "STEP_RAISE",
    Return: "STEP_RETURN",
    Group: "STEP_GROUP",
    Next: "STEP_GOTO",
}


@final
class _Frame(NamedTuple):
    """A call under way: its routine, how deep it is, and how many parallel steps are around."""

    routine: Routine
    scopes: dict[int, Scope]
    depth: int
    parallel: int


@final
class Runner:
    """Runs the routines of one execution."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._program = execution.program
        self._doubts = execution.doubts
        self._calls = Calls(execution)
        self._scopes = {
            name: scopes_of(routine) for name, routine in self._program.routines.items()
        }
        self._places: dict[int, dict[str, int]] = {}
        self._hoisted: dict[int, bool] = {}

    def main(self, argument: Value) -> Work[Value]:
        """The whole execution."""
        parameters = self._program.routines["main"].parameters
        arguments = {parameters[0].name: argument} if parameters else {}
        return (yield from self._routine("main", arguments, depth=1, parallel=0))

    def _routine(
        self, name: str, arguments: dict[str, Value], depth: int, parallel: int
    ) -> Work[Value]:
        if depth > value_of("call_depth"):
            raise failure(
                "RecursionError", f"more than {value_of('call_depth')} calls in one another"
            )
        routine = self._program.routines[name]
        scopes = self._scopes[name]
        root = scopes[id(routine.steps[0])]
        names = Environment(root, None, self._execution.memory)
        for parameter in routine.parameters:
            if parameter.name in arguments:
                names.bind(parameter.name, arguments[parameter.name])
            elif parameter.default is not None:
                names.bind(parameter.name, parameter.default.value)
        frame = _Frame(routine, scopes, depth, parallel)
        try:
            outcome = yield from self._block(routine.steps, names, frame)
        finally:
            names.close()
        if outcome == _Jump("end") and name != "main":
            self._doubts.about("end-in-subworkflow", f"`next: end` in `{name}`")
        return outcome.value if isinstance(outcome, _Returned) else None

    def _block(self, steps: tuple[Step, ...], names: Environment, frame: _Frame) -> Work[_Outcome]:
        """Steps in order, until one leads out of them."""
        places = self._places.get(id(steps))
        if places is None:
            places = {step.name: at for at, step in enumerate(steps) if step.name is not None}
            self._places[id(steps)] = places
        at = 0
        while at < len(steps):
            outcome = yield from self._step(steps[at], names, frame)
            if outcome is None:
                at += 1
            elif isinstance(outcome, _Jump) and outcome.target in places:
                at = places[outcome.target]
            else:
                return outcome
        return None

    def _step(self, step: Step, names: Environment, frame: _Frame) -> Work[_Outcome]:
        if self._execution.threads > 1:
            yield Pause()
        if not isinstance(step.action, Group) and (step.name or not isinstance(step.action, Next)):
            kind = KINDS[type(step.action)]
            self._execution.count(frame.routine.name, step.name or "", kind)
        outcome = yield from self._action(step, names, frame)
        if outcome is None and step.next is not None:
            return _Jump(step.next)
        return outcome

    def _action(self, step: Step, names: Environment, frame: _Frame) -> Work[_Outcome]:
        action: Action = step.action
        match action:
            case Assign():
                yield from self._assign(action, names, frame)
            case CallStep():
                yield from self._call(action, names, frame)
            case Switch():
                return (yield from self._switch(step, action, names, frame))
            case For():
                return (yield from self._for(action, names, frame))
            case Parallel():
                yield from self._parallel(action, names, frame)
            case Try():
                return (yield from self._try(action, names, frame))
            case Raise(value=value):
                yield from self._raise(value, names, frame)
            case Return(value=value):
                return _Returned((yield from self._value(value, names, frame)))
            case Group(steps=steps):
                return (yield from self._block(steps, names, frame))
            case Next():
                pass
            case _:
                assert_never(action)
        return None

    def _value(self, template: Template, names: Environment, frame: _Frame) -> Work[Value]:
        hoisted = self._hoisted.get(id(template))
        if hoisted is None:
            hoisted = self._hoisted[id(template)] = calls_routines(template)
        if hoisted:

            def call(function: str, arguments: list[Value]) -> Work[Value]:
                return self._positional(function, arguments, frame)

            template = yield from results_first(template, names, self._execution, call)
        return fill(template, names, self._execution)

    def _positional(self, function: str, arguments: list[Value], frame: _Frame) -> Work[Value]:
        if function not in self._program.routines:
            self._doubts.about("connector", f"`{function}` in an expression")
            raise failure("TypeError", f"`{function}` is called by position")
        parameters = self._program.routines[function].parameters
        given = {item.name: value for item, value in zip(parameters, arguments, strict=False)}
        return (yield from self._routine(function, given, frame.depth + 1, frame.parallel))

    def _assign(self, action: Assign, names: Environment, frame: _Frame) -> Work[None]:
        for number, item in enumerate(action.assignments):
            if number and self._execution.threads > 1:
                # One assignment reads and writes at once, as Google's samples count on
                # (workflows-samples, parallel_aggregate); a step of many is not said to.
                yield Pause()
            value = yield from self._value(item.value, names, frame)
            if isinstance(value, Function):
                self._doubts.about("call-form", f"the function {value.name} as a value")
            if item.path:
                path = [evaluate(part, names, self._execution) for part in item.path]
                base = names.read(item.variable, self._doubts)
                value = replaced(base, path, value, self._doubts)
            names.write(item.variable, value, self._doubts)

    def _call(self, action: CallStep, names: Environment, frame: _Frame) -> Work[None]:
        arguments: dict[str, Value] = {}
        for name, template in action.arguments.items():
            arguments[name] = yield from self._value(template, names, frame)
        if action.function in self._program.routines:
            depth = frame.depth + 1
            result = yield from self._routine(action.function, arguments, depth, frame.parallel)
        else:
            result = yield from self._calls.call(action.function, arguments)
        if action.result is not None:
            names.write(action.result, result, self._doubts)

    def _switch(
        self, step: Step, action: Switch, names: Environment, frame: _Frame
    ) -> Work[_Outcome]:
        for condition in action.conditions:
            test = yield from self._value(condition.test, names, frame)
            if not isinstance(test, bool):
                raise failure("TypeError", f"a condition is a boolean, not {type_name(test)}")
            if test:
                outcome = yield from self._step(condition.body, names, frame)
                if outcome is None and step.next is not None:
                    self._doubts.about("switch-next", f"the step `{step.name}`")
                return outcome
        return None

    def _for(self, action: For, names: Environment, frame: _Frame) -> Work[_Outcome]:
        items = yield from self._items(action, names, frame)
        frame.scopes.get(id(action), names.scope)
        for number, item in enumerate(items):
            self._execution.count(frame.routine.name, action.value, "STEP_FOR_ITERATION")
            outcome = yield from self._iteration(action, (number, item), names, frame)
            if outcome == _Jump("break"):
                return None
            if outcome not in (None, _Jump("continue")):
                return outcome
        return None

    def _iteration(
        self, loop: For, item: tuple[int, Value], outer: Environment, frame: _Frame
    ) -> Work[_Outcome]:
        names = Environment(frame.scopes[id(loop)], outer, self._execution.memory)
        try:
            names.bind(loop.value, item[1])
            if loop.index is not None:
                names.bind(loop.index, item[0])
            return (yield from self._block(loop.steps, names, frame))
        finally:
            names.close()

    def _items(self, loop: For, names: Environment, frame: _Frame) -> Work[list[Value]]:
        if loop.items is not None:
            items = yield from self._value(loop.items, names, frame)
            if isinstance(items, list):
                return items
            raise failure("TypeError", f"a loop is over a list, not {type_name(items)}")
        assert loop.range is not None
        bounds = yield from self._value(loop.range, names, frame)
        if not isinstance(bounds, list) or len(bounds) != 2 or not all(map(is_number, bounds)):
            raise failure("TypeError", "a range is two numbers")
        first, last = bounds
        if not isinstance(first, int) or not isinstance(last, int):
            self._doubts.about("range-numbers", f"the range {first!r} to {last!r}")
            raise failure("TypeError", "a range of doubles")
        if last < first:
            self._doubts.about("empty-range", f"the range {first} to {last}")
        return list(range(first, last + 1))

    def _raise(self, template: Template, names: Environment, frame: _Frame) -> Work[None]:
        value = yield from self._value(template, names, frame)
        if not isinstance(value, str | dict):
            self._doubts.about("raise-type", type_name(value))
        raise WorkflowError(value)

    def _try(self, action: Try, names: Environment, frame: _Frame) -> Work[_Outcome]:
        attempts = 0
        policy: Policy | None = None
        while True:
            try:
                return (yield from self._step(action.body, names, frame))
            except WorkflowError as error:
                raised = error
            if action.retry is not None and policy is None:
                value = yield from self._value(action.retry.policy, names, frame)
                policy = Policy(value, self._doubts)
            again = policy is not None and attempts < policy.most
            if policy is None or not again or not (yield from self._holds(policy, raised, frame)):
                break
            self._execution.count(frame.routine.name, "", "STEP_RETRY")
            yield Until(self._execution.now() + policy.delay(attempts))
            attempts += 1
        if action.handler is None:
            raise raised
        self._execution.count(frame.routine.name, "", "STEP_EXCEPT")
        inner = Environment(frame.scopes[id(action.handler)], names, self._execution.memory)
        try:
            if action.handler.name is not None:
                inner.bind(action.handler.name, raised.value)
            return (yield from self._block(action.handler.steps, inner, frame))
        finally:
            inner.close()

    def _holds(self, policy: Policy, raised: WorkflowError, frame: _Frame) -> Work[bool]:
        """Whether the predicate says that the error is worth another attempt."""
        known = policy.of_library(raised.value)
        if known is not None:
            return known
        try:
            answer = yield from self._positional(policy.predicate, [raised.value], frame)
        except WorkflowError:
            self._doubts.about("predicate", "the predicate of a retry fails")
            raise
        if not isinstance(answer, bool):
            self._doubts.about("predicate", f"the predicate gives {type_name(answer)}")
        return answer is True

    def _parallel(self, action: Parallel, names: Environment, frame: _Frame) -> Work[None]:
        if frame.parallel >= value_of("parallel_depth"):
            raise failure("ParallelNestingError", "parallel steps are nested too deep")
        limit = None
        if action.limit is not None:
            asked = yield from self._value(action.limit, names, frame)
            if not isinstance(asked, int) or isinstance(asked, bool) or asked < 1:
                self._doubts.about("concurrency", f"the limit {asked!r}")
                raise failure("ValueError", "a concurrency limit is a positive integer")
            limit = asked
        inside = frame._replace(parallel=frame.parallel + 1)
        branches: list[tuple[str, Work[None]]] = []
        if action.loop is not None:
            items = yield from self._items(action.loop, names, frame)
            for number, item in enumerate(items):
                work = self._iteration(action.loop, (number, item), names, inside)
                branches.append((str(number), self._branch(work, inside)))
        for branch in action.branches:
            inner = Environment(frame.scopes[id(branch)], names, self._execution.memory)
            work = self._closing(self._block(branch.steps, inner, inside), inner)
            branches.append((branch.name, self._branch(work, inside)))
        errors = (yield Fork(tuple(branches), limit)) if branches else []
        assert isinstance(errors, list)
        failed = [(branches[at][0], error) for at, error in enumerate(errors) if error is not None]
        if failed:
            raise self._unhandled(failed)

    def _closing(self, work: Work[_Outcome], names: Environment) -> Work[_Outcome]:
        try:
            return (yield from work)
        finally:
            names.close()

    def _branch(self, work: Work[_Outcome], frame: _Frame) -> Work[None]:
        self._execution.count(frame.routine.name, "", "STEP_PARALLEL_BRANCH")
        outcome = yield from work
        if outcome not in (None, _Jump("continue")):
            self._doubts.about("branch-next", f"a branch ends with {outcome}")

    def _unhandled(self, failed: Sequence[tuple[str, Value]]) -> WorkflowError:
        """The tag is documented, the layout of `branches` is not."""
        branches: Value = Undocumented("the branches of an UnhandledBranchError")
        if not self._doubts.strict:
            branches = [{"id": name, "error": error} for name, error in failed]
        message = "one or more branches or iterations had an error that nothing handled"
        return failure("UnhandledBranchError", message, branches=branches)
