"""Trace equality, its JSON form, and scripts without an engine."""

# Scripts are lambdas, whose parameters no checker can know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false

from pathlib import Path

import pytest

from perdure.runtime.site import Site
from perdure.testing import ScriptError, after, run
from perdure.testing.scripts import Attempt, Raises, Returns, RunsBody, Scripts, are_parallel
from perdure.trace import CANCELLED, End, Trace, TraceEntry, compare, from_json, to_json

SPAN = Site("a", "f.py", 1, 0, 1, 5)
DONE = End("done", 1)


def entry(path: str, outcome: object = 1, *, time: float = 0.0, attempts: int = 1) -> TraceEntry:
    said = CANCELLED if outcome == CANCELLED else {"value": outcome}
    return TraceEntry(path, "step", "s", {"n": 1}, attempts, said, SPAN, time)  # type: ignore[arg-type]  # pyright: ignore


def trace(*entries: TraceEntry, end: End = DONE, ended: tuple[str, ...] = ()) -> Trace:
    return Trace(entries, end, frozenset(ended))


def test_equality_ignores_interleaving_time_and_attempts() -> None:
    a, b, c = entry("gather[0]/a"), entry("gather[1]/a"), entry("c")
    late = entry("gather[0]/a", time=5.0, attempts=3)
    both = ("gather[0]", "gather[1]")
    assert compare(trace(a, b, c, ended=both), trace(b, late, c, ended=both)) == []


@pytest.mark.parametrize(
    ("left", "right", "line"),
    [
        (trace(entry("a")), trace(), "a: missing on the right"),
        (trace(), trace(entry("a")), "a: missing on the left"),
        (trace(entry("a", 1)), trace(entry("a", True)), "a: outcome"),
        (trace(entry("a"), entry("b")), trace(entry("b"), entry("a")), "order:"),
        (trace(), trace(end=End("failed", None, {"type": "x"})), "end: done"),
        (trace(), trace(end=End("done", 2)), "result: 1 against 2"),
        (trace(), trace(end=End("done", 1.0)), "result: 1 against 1.0"),
    ],
)
def test_differences_are_told_in_words(left: Trace, right: Trace, line: str) -> None:
    (only,) = compare(left, right)
    assert only.startswith(line)


def test_a_cancelled_branch_compares_as_a_prefix() -> None:
    won = ("race[a]",)
    far = trace(entry("race[b]/a"), entry("race[b]/b", CANCELLED), entry("race[a]/c"), ended=won)
    near = trace(entry("race[b]/a", CANCELLED), entry("race[a]/c"), ended=won)
    assert compare(far, near) == []
    assert compare(near, far) == []
    other = entry("race[b]/a", 2), entry("race[b]/b", CANCELLED), entry("race[a]/c")
    assert compare(far, trace(*other, ended=won)) != []


def test_a_loser_that_ended_at_the_instant_of_the_winner_compares_as_a_prefix() -> None:
    a, b, c = entry("race[x]/a"), entry("race[y]/b"), entry("race[y]/c")
    both = trace(a, b, c, ended=("race[x]", "race[y]"))
    assert compare(both, trace(a, b, ended=("race[x]",))) == []
    assert compare(both, trace(a, b, ended=("race[y]",))) != []  # the winner has to be whole


def test_a_winner_may_have_done_nothing() -> None:
    loser = trace(entry("race[p]/a"), ended=("race[p]", "race[q]"))
    assert compare(loser, trace(entry("race[p]/a", CANCELLED), ended=("race[q]",))) == []
    assert compare(loser, trace(entry("race[p]/a", CANCELLED))) != []


def test_a_branch_that_went_on_after_a_cancelled_operation_compares_whole() -> None:
    ends = ("gather[0]",)
    left = trace(entry("gather[0]/a", CANCELLED), entry("gather[0]/b"), ended=ends)
    assert compare(left, left) == []
    assert compare(left, trace(entry("gather[0]/b"), ended=ends)) != []
    assert compare(left, trace(entry("gather[0]/a", CANCELLED), ended=ends)) != []
    assert compare(left, trace(entry("gather[0]/a", CANCELLED))) != []


RUNS = {
    "a winner": (
        ("race[a]",),
        DONE,
        ("race[a]/x", "race[a]/y", "race[a]/z"),
        (("race[b]/x", 1), ("race[b]/y", CANCELLED)),
    ),
    "a winner of a quorum": (
        ("quorum[0]", "quorum[2]"),
        DONE,
        ("quorum[2]/x", "quorum[2]/race[k]/y", "quorum[2]/z"),
        (("quorum[0]/x", 1), ("quorum[1]/x", CANCELLED)),
    ),
    "a cancelled run": (
        (),
        End("cancelled"),
        ("x", "y", "z"),
        (("gather[0]/x", 1), ("gather[1]/x", CANCELLED), ("w", CANCELLED)),
    ),
    "branches": (
        ("gather[0]", "gather[1]", "group[0]"),
        DONE,
        ("gather[1]/x", "gather[1]/y", "gather[1]/z"),
        (("gather[0]/x", 1), ("gather[0]/y", CANCELLED), ("group[0]/child/x", 1)),
    ),
    "a branch inside a branch that was cancelled": (
        ("race[a]", "race[b]/gather[0]"),
        DONE,
        ("race[b]/gather[0]/x", "race[b]/gather[0]/y", "race[b]/gather[0]/z"),
        (("race[a]/x", 1), ("race[b]/gather[1]/x", CANCELLED)),
    ),
}


@pytest.mark.parametrize("where", RUNS)
@pytest.mark.parametrize("fault", ["missing", "extra", "reordered", "changed", "cut"])
def test_a_planted_fault_is_found(where: str, fault: str) -> None:
    ended, end, paths, rest = RUNS[where]
    others = [entry(path, outcome) for path, outcome in rest]
    whole = [entry(path) for path in paths]
    if "race[k]" in paths[1]:
        ended = (*ended, "quorum[2]/race[k]")
    first, second, last = whole
    faulty = {
        "missing": [first, last],
        "extra": [first, second, entry(f"{paths[1]}#2"), last],
        "reordered": [second, first, last] if "race[k]" not in paths[1] else [last, second, first],
        "changed": [first, second._replace(outcome={"value": 2}), last],
        "cut": [first, second],
    }[fault]
    good = trace(*whole, *others, end=end, ended=ended)
    bad = trace(*faulty, *others, end=end, ended=ended)
    assert compare(good, good) == []
    assert compare(good, bad) != []
    assert compare(bad, good) != []


@pytest.mark.parametrize("where", ["a winner", "branches"])
def test_a_branch_whose_end_is_missing_too_is_found(where: str) -> None:
    ended, end, paths, rest = RUNS[where]
    others = [entry(path, outcome) for path, outcome in rest]
    whole = [entry(path) for path in paths]
    branch = paths[0].rpartition("/")[0]
    less = tuple(path for path in ended if path != branch)
    good = trace(*whole, *others, end=end, ended=ended)
    assert compare(good, trace(*whole[:2], *others, end=end, ended=less)) != []


def test_what_a_cancel_ended_has_to_be_there() -> None:
    cancelled = End("cancelled")
    good = trace(entry("a"), entry("b", CANCELLED), end=cancelled)
    assert compare(good, trace(entry("a"), end=cancelled)) == ["b: missing on the right"]


def test_a_trace_of_version_1_says_by_its_last_operations_which_branches_were_cancelled() -> None:
    old = trace(entry("race[a]/x"), entry("race[b]/x", CANCELLED))._replace(ended=None)
    assert compare(old, trace(entry("race[a]/x"), ended=("race[a]",))) == []
    data = to_json(old)
    del data["ended"]
    assert from_json({**data, "version": 1}) == old


def test_the_json_form_reads_back_and_refuses_a_newer_one() -> None:
    whole = trace(
        entry("a"),
        entry("b", CANCELLED),
        end=End("failed", None, {"type": "x"}),
        ended=("race[a]",),
    )
    data = to_json(whole)
    assert from_json(data) == whole
    with pytest.raises(ValueError, match="newer"):
        from_json({**data, "version": 3})


def attempt(path: str = "s", number: int = 1) -> Attempt:
    return Attempt("s", path, number, {"n": 1, "text": "x"})


def test_answers() -> None:
    scripts = Scripts({"s": [1, ValueError("no"), KeyError, after("2s", 3), after(1, after(2))]})
    assert scripts.answer(attempt()) == Returns(0, 1)
    answer = scripts.answer(attempt())
    assert isinstance(answer, Raises)
    assert str(answer.error) == "no"
    answer = scripts.answer(attempt())
    assert isinstance(answer, Raises)
    assert type(answer.error) is KeyError
    assert scripts.answer(attempt()) == Returns(2, 3)
    assert scripts.answer(attempt()) == Returns(3, None)


def test_a_script_gets_the_arguments_it_asks_for() -> None:
    def wants(text: str, **rest: object) -> object:
        return [text, rest]

    assert Scripts({"s": lambda n: n}).answer(attempt()) == Returns(0, 1)
    assert Scripts({"s": wants}).answer(attempt()) == Returns(0, ["x", {"n": 1}])
    with pytest.raises(ScriptError, match="no parameter 'm'"):
        Scripts({"s": lambda m: m}).answer(attempt())
    answer = Scripts({"s": lambda n: n / 0}).answer(attempt())
    assert isinstance(answer, Raises)
    assert Scripts(unscripted="run").answer(attempt()) == RunsBody()


def test_wrong_scripts_are_refused() -> None:
    with pytest.raises(ScriptError, match="a function of the arguments or a list"):
        Scripts({"s": "bug"})
    with pytest.raises(ScriptError, match="did you mean 'classify'"):
        Scripts({"clasify": []}).check_names(["classify", "notify"])
    with pytest.raises(ScriptError, match="steps: a, b"):
        Scripts({"zzz": []}).check_names(["b", "a"])


@pytest.mark.parametrize(
    ("left", "right", "parallel"),
    [
        ("gather[0]/s", "gather[1]/s", True),
        ("gather[0]/x[1]/s", "gather[0]/x[2]/s", True),
        ("gather[0]/s", "gather#2[1]/s", False),
        ("gather[0]/s", "s", False),
        ("child/s", "child#2/s", False),
        ("gather[0]/s", "gather[0]/s#2", False),
    ],
)
def test_parallel_paths(left: str, right: str, parallel: bool) -> None:
    assert are_parallel(left, right) is parallel


FLOW = """
from perdure import flow, step, race, sleep, event

@step
async def classify(title: str) -> str:
    return "real"

fetch = step(len)

@flow
async def triage(title: str, days: float = 1) -> list[object]:
    label = await classify(title)
    try:
        answer = await event("approval", dict, timeout=f"{days}d")
    except TimeoutError:
        answer = await fetch(title)
    return [label, answer, days]
"""


@pytest.fixture
def flow_file(tmp_path: Path) -> str:
    (tmp_path / "triage.py").write_text(FLOW)
    return f"{tmp_path / 'triage.py'}:triage"


def test_run_loads_a_file_and_scripts_its_steps(flow_file: str) -> None:
    r = run(
        flow_file,
        {"title": "t", "days": 2},
        steps={"classify": lambda title: "bug"},
        unscripted="run",
        events=[("2h", "approval", {"ok": True})],
    )
    assert (r.status, r.result) == ("done", ["bug", {"ok": True}, 2.0])
    assert [(e.path, e.span.line) for e in r.trace] == [("classify", 12), ("approval", 14)]
    late = run(flow_file, {"title": "tt"}, unscripted="run")
    assert late.result == ["real", 2, 1]
    with pytest.raises(ScriptError, match="did you mean 'classify'"):
        run(flow_file, {"title": "t"}, steps={"clasify": []})
    with pytest.raises(ValueError, match="no target 'mars'"):
        run(flow_file, {"title": "t"}, target="mars")
    assert run(flow_file, {"title": "t"}, unscripted="run", cancel="1h").status == "cancelled"
