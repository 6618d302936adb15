"""Old releases that no run needs any more leave the record; what only they wanted goes after them.

The newest stay, for rollbacks; older ones stay while a run of theirs is under way on any of their
workflows, for it may still start children, and while they get new runs.
"""

from perdure_gcp.deploy.environment import Environment
from perdure_gcp.deploy.record import Deployed

__all__ = ["KEPT", "retired"]

KEPT = 20
"""Releases that stay whatever happens."""


def retired(environment: Environment, record: Deployed) -> Deployed:
    """The record without the releases that nobody needs."""
    live = {one.release for one in record.live}
    stay = list(record.releases[-KEPT:])
    for one in reversed(record.releases[:-KEPT]):
        busy = any(environment.running(path) for path in one.workflows.values())
        if busy or one.release in live:
            stay.insert(0, one)
        else:
            environment.say(f"{record.flow}: retire release {one.release}")
    return record._replace(releases=tuple(stay))
