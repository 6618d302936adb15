"""The inbox of a run whose engine keeps the history: first in, first out; each letter to one wait.

Everything in it came from the engine in the order of the history, so a replay fills it the same
way again. Questions among the letters are answered in the order a scope took them; those that
nobody answered are told so when the run ends.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, final

from perdure.codec import decode
from perdure.codec.text import Json
from perdure.errors import InvalidInput
from perdure.runtime.engine import Completed, EventWait, Outcome
from perdure.runtime.paths import natural
from perdure.runtime.values import encode_payload, failed, misfit

__all__ = ["Letter", "Mailbox", "Question"]


class Question(NamedTuple):
    """Who waits for the answer to a letter: a run, under an id of its own."""

    run: str
    id: str


class Letter(NamedTuple):
    """One event. `plain`: its payload is JSON as somebody outside wrote it, not encoded."""

    order: int
    name: str
    payload: Json
    plain: bool = False
    question: Question | None = None


type Wait = asyncio.Future[Outcome | None]


class _Taken(NamedTuple):
    scope: str
    path: str
    letter: Letter


@final
class Mailbox:
    """Letters that came, live waits, and who took what."""

    def __init__(self, misfit: Callable[[str], None] = lambda problem: None) -> None:
        self._misfit = misfit
        """Told of a payload that does not fit the wait that took it."""
        self._letters: list[Letter] = []
        self._waits: list[tuple[Wait, EventWait]] = []
        self._since: dict[Wait, tuple[float, tuple[tuple[int, str], ...]]] = {}
        self._taken: dict[str, Letter] = {}
        self._unanswered: list[_Taken] = []
        self._count = 0
        self._ids: list[str] = []
        """Of letters from outside, which may come twice."""

    def is_new(self, id: str) -> bool:
        """Whether no letter from outside had this id before."""
        if id in self._ids:
            return False
        self._ids.append(id)
        return True

    def store(
        self,
        name: str,
        payload: Json,
        *,
        plain: bool = False,
        question: Question | None = None,
        checked: bool = True,
    ) -> None:
        """A letter came; InvalidInput if the wait that lives cannot take what a run sent."""
        if checked and not plain:
            self._check(name, payload)
        self._count += 1
        self._letters.append(Letter(self._count, name, payload, plain, question))
        self._match(name)

    def wait(self, wait: EventWait) -> Wait:
        """A live wait, in line by its time, then by lower index; done if a letter is there.

        None stands for a timeout.
        """
        loop = asyncio.get_running_loop()
        waiter: Wait = loop.create_future()
        self._since[waiter] = loop.time(), natural(wait.op.path)
        self._waits.append((waiter, wait))
        self._waits.sort(key=lambda live: self._since[live[0]])
        self._match(wait.name)
        return waiter

    def leave(self, waiter: Wait) -> None:
        """The wait is over."""
        self._waits = [(other, wait) for other, wait in self._waits if other is not waiter]
        self._since.pop(waiter, None)

    def give_back(self, paths: Sequence[str]) -> None:
        """What was taken at these paths is there again, in its old place."""
        letters = [self._taken.pop(path) for path in paths if path in self._taken]
        self._unanswered = [taken for taken in self._unanswered if taken.letter not in letters]
        self._letters = sorted([*self._letters, *letters])
        for name in dict.fromkeys(letter.name for letter in letters):
            self._match(name)

    def answer(self, scope: str, name: str) -> Question | None:
        """Whom `reply` answers: the oldest letter that the scope took under this name."""
        for taken in self._unanswered:
            if (taken.scope, taken.letter.name) == (scope, name):
                self._unanswered.remove(taken)
                return taken.letter.question
        raise RuntimeError(f"reply({name!r}): this scope took no message that is unanswered")

    def questions(self) -> list[Question]:
        """Those that nobody has answered."""
        letters = [*self._letters, *(taken.letter for taken in self._unanswered)]
        return [letter.question for letter in letters if letter.question is not None]

    def saved(self) -> dict[str, Json]:
        """All of it but live waits, of which a hand-over has none."""
        ids: dict[str, Json] = {"ids": [*self._ids]} if self._ids else {}
        return {
            **ids,
            "count": self._count,
            "letters": [_letter_json(letter) for letter in self._letters],
            "unanswered": [
                [taken.scope, taken.path, _letter_json(taken.letter)] for taken in self._unanswered
            ],
        }

    def restore(self, saved: Mapping[str, Json]) -> None:
        """Take over what `saved` gave."""
        self._count = int(str(saved["count"]))
        self._ids = [str(id) for id in _list(saved.get("ids", []))]
        self._letters = [_letter(each) for each in _list(saved["letters"])]
        for each in _list(saved["unanswered"]):
            scope, path, letter = _list(each)
            self._unanswered.append(_Taken(str(scope), str(path), _letter(letter)))

    def _check(self, name: str, payload: Json) -> None:
        for waiter, wait in self._waits:
            if wait.name == name and not waiter.done():
                if wait.type is not None:
                    encode_payload(decode(payload), wait.type)
                return

    def _match(self, name: str) -> None:
        for waiter, wait in self._waits:
            if wait.name != name or waiter.done():
                continue
            letter = next((letter for letter in self._letters if letter.name == name), None)
            if letter is None:
                return
            self._letters.remove(letter)
            self._taken[wait.op.path] = letter
            self._unanswered.append(_Taken(wait.op.scope.path, wait.op.path, letter))
            waiter.set_result(self._outcome(letter, wait))

    def _outcome(self, letter: Letter, wait: EventWait) -> Outcome:
        """The payload as the type that the wait declares; the sender may not have known it."""
        if not letter.plain and wait.type is None:
            return Completed(letter.payload)
        try:
            value = letter.payload if letter.plain else decode(letter.payload)
            return Completed(encode_payload(value, wait.type))
        except InvalidInput as error:
            self._misfit(misfit(wait.name, error))
            return failed(error)


def _letter_json(letter: Letter) -> Json:
    question = None if letter.question is None else list[Json](letter.question)
    return [letter.order, letter.name, letter.payload, letter.plain, question]


def _letter(saved: Json) -> Letter:
    order, name, payload, plain, question = _list(saved)
    asked = None if question is None else Question(*map(str, _list(question)))
    return Letter(int(str(order)), str(name), payload, bool(plain), asked)


def _list(value: Json) -> list[Json]:
    assert isinstance(value, list)
    return value
