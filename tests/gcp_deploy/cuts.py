"""A verb is killed at each of its requests: the process forks there, and its copy goes on as
whoever comes next does, while the verb itself goes on in the parent.

Nothing of the verb runs after such a cut, and one run of it is cut off everywhere. That a request
has taken effect and its answer is lost is the moment before the next one; after a request that
only looked, the cloud is as it was, and is not tried again.
"""

import os
import traceback
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, final

from tests.gcp_deploy.cloud import Call, Cloud

__all__ = ["Cuts", "cut_at_requests"]

LOOKS = ("get", "list", "runQuery", "getIamPolicy", "batchGet")


@final
class Cuts(NamedTuple):
    """What came of it."""

    requests: int
    states: int
    """How many different states of the cloud it leaves when it is killed at one of them."""
    copies: int
    wrong: tuple[str, ...]


def cut_at_requests(
    there: Cloud,
    verb: Callable[[], object],
    ways_on: Mapping[str, Callable[[], None]],
    only: Collection[int] | None,
) -> Cuts:
    """Run the verb once; in each state that it can be killed in (or in `only` these) try every
    way on."""
    asked: list[str] = []
    states, copies, wrong = [0], [0], list[str]()

    def cut(where: str) -> None:
        if asked and asked[-1].rpartition(".")[2] in LOOKS and "operations" not in asked[-1]:
            return
        states[0] += 1
        if only is not None and states[0] not in only:
            return
        for name, way in ways_on.items():
            copies[0] += 1
            found = _in_a_copy(there, way)
            if found:
                wrong.append(f"killed {where}, then {name}: {found}")

    def fault(call: Call, when: str) -> None:
        if when == "before":
            cut(f"before request {len(asked) + 1}, {call.method} {call.url[-60:]}")
            asked.append(call.method)

    was, there.fault = there.fault, fault
    try:
        verb()
        cut("before its answer")
    finally:
        there.fault = was
    return Cuts(len(asked), states[0], copies[0], tuple(wrong))


def _in_a_copy(there: Cloud, way: Callable[[], None]) -> str:
    """What went wrong there, "" if nothing did."""
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        # Threads of services that were invoked stay behind: a copy has instances of its own.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        said = ""
        try:
            there.fault = lambda call, when: None
            there.new_instances()
            way()
        except BaseException:
            said = traceback.format_exc() or "?"
        finally:
            os.write(writes, said.encode()[-60_000:])
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as answer:
        said = answer.read().decode()
    _, status = os.waitpid(child, 0)
    return said if status == 0 else f"the copy ended with {status}: {said}"
