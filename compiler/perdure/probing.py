"""What a probe asks of a real engine, and how its answers compare with what is assumed.

A target's documents leave things open. A probe asks an engine: it makes something small, runs it,
and takes it away again. What came back is compared with what our own engine, or the encoding,
assumes. Nothing here knows a cloud.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, Protocol, final

from perdure.codec.text import Json

__all__ = ["Finding", "NoCredentials", "ProbeFailed", "Prober", "compared", "findings_json"]

type Verdict = Literal["as assumed", "differs", "answered", "no answer"]


class NoCredentials(Exception):  # noqa: N818  (it says what is missing)
    """The probe does not know as whom to ask; the text says what to set."""


class ProbeFailed(Exception):  # noqa: N818  (likewise)
    """The cloud refused what the probe needs; the text is the cloud's own."""


@final
class Finding(NamedTuple):
    """One question, what is assumed and what the engine said.

    "answered": nothing is assumed, so that nothing can differ; "no answer": the engine ended
    without one.
    """

    question: str
    asks: str
    assumed: Json
    answer: Json
    verdict: Verdict


class Prober(Protocol):
    """What a target can be asked."""

    target: str
    questions: Mapping[str, str]
    """What each question asks, by its id."""

    def plan(self) -> Iterable[str]:
        """What will be made, what it costs, and what becomes of it: a sentence each."""
        ...

    def assumed(self) -> Mapping[str, Json]:
        """What is assumed, by question; without those that nothing hangs on."""
        ...

    def ask(self, options: Mapping[str, str]) -> Mapping[str, Json]:
        """The engine's answers, by question. NoCredentials, ProbeFailed."""
        ...


def compared(prober: Prober, answers: Mapping[str, Json]) -> tuple[Finding, ...]:
    """A finding for each question."""
    assumed = prober.assumed()
    return tuple(
        Finding(name, asks, assumed.get(name), answers.get(name), _verdict(name, assumed, answers))
        for name, asks in prober.questions.items()
    )


def _verdict(name: str, assumed: Mapping[str, Json], answers: Mapping[str, Json]) -> Verdict:
    if name not in answers:
        return "no answer"
    if name not in assumed:
        return "answered"
    return "as assumed" if answers[name] == assumed[name] else "differs"


def findings_json(target: str, findings: Iterable[Finding]) -> Json:
    """All findings, as data."""
    return {"version": 1, "target": target, "findings": [{**one._asdict()} for one in findings]}
