"""A sweep over many seeds that can be stopped and continued, in bounded time and memory.

Programs are judged in a process forked for some of them; then another takes over. One that ends
for no reason of its own, takes too much CPU or goes silent is cut; its seed, and the engine that
was asked, are in the report. The state is a file: a sweep goes on where its file ends.
"""

import gc
import json
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from tests.proof.sweep import Judged, Sweep, from_json, judged, to_json

__all__ = ["LongSweep"]

PER_WORKER: Final = 100
SECONDS: Final = 30
"""Of CPU for one program on all engines, which takes 0.3 otherwise."""
SILENT: Final = 600
"""Seconds of the wall clock that an engine may take: it waits for something that never comes."""
MEMORY: Final = 2 * 2**30
"""Of the process, resident: one that waits for ever in virtual time takes all there is."""
KEPT_EVERY: Final = 10


@final
class LongSweep:
    """Seeds from `first` to before `last` on the engines; `file` has what came of them so far."""

    def __init__(self, first: int, last: int, engines: Sequence[str], file: Path | None) -> None:
        self.first, self.last, self.engines = first, last, engines
        self.file = file
        self.next = first
        self.found = Sweep()
        self.commit = _commit()
        if file is not None and file.exists():
            self._go_on(file)

    def _go_on(self, file: Path) -> None:
        text = file.read_text(encoding="utf-8")
        kept = json.loads(text)
        known = kept["first"], kept["engines"], kept["commit"]
        if known != (self.first, [*self.engines], self.commit):
            raise SystemExit(
                f"{file} is of another sweep: from {known[0]} on {known[1]}, {known[2]}"
            )
        self.found, self.next = from_json(text), kept["next"]

    def run(self, told: Callable[[Judged, Sweep], None]) -> Sweep:
        """To the end, or until it is stopped."""
        gc.freeze()
        try:
            while self.next < self.last:
                seeds = range(self.next, min(self.next + PER_WORKER, self.last))
                for one in _worked(seeds, self.engines):
                    self.found.add(one)
                    self.next = one.seed + 1
                    told(one, self.found)
                    if self.found.programs % KEPT_EVERY == 0:
                        self._keep()
        finally:
            self._keep()
        return self.found

    def _keep(self) -> None:
        if self.file is None:
            return
        about = {"first": self.first, "next": self.next, "commit": self.commit}
        whole = {**about, "engines": [*self.engines], **to_json(self.found)}
        beside = self.file.with_suffix(".new")
        beside.write_text(json.dumps(whole, indent=1), encoding="utf-8")
        beside.replace(self.file)


def _worked(seeds: Sequence[int], engines: Sequence[str]) -> Iterator[Judged]:
    """What a process of its own says of the seeds; it stops after one that was cut."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work(seeds, engines, writing)
    os.close(writing)
    at, asked, said = 0, "nothing", dict[str, tuple[str, str]]()
    try:
        for line in _lines(reading, child):
            message = json.loads(line)
            if isinstance(message, str):
                asked = message
                continue
            seed, said, cells, end, seconds = message
            pairs = [((row, column), count) for (row, column), count in cells]
            yield Judged(seed, {k: (v[0], v[1]) for k, v in said.items()}, pairs, end, seconds)
            at, asked = at + 1, "nothing"
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(reading)
    if at < len(seeds):
        why = f"{asked} was asked; the process ended with {os.waitstatus_to_exitcode(status)}"
        yield Judged(seeds[at], {asked: ("cut", why)})


def _lines(reading: int, child: int) -> Iterator[bytes]:
    rest, silent = b"", 0
    while silent < SILENT and _resident(child) < MEMORY:
        if not select.select([reading], [], [], 1.0)[0]:
            silent += 1
            continue
        silent, some = 0, os.read(reading, 1 << 16)
        if not some:
            return
        *whole, rest = (rest + some).split(b"\n")
        yield from whole


def _resident(child: int) -> int:
    """Bytes of a process."""
    pages = Path(f"/proc/{child}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def _work(seeds: Sequence[int], engines: Sequence[str], writing: int) -> None:
    """In the forked process, which never returns."""
    # What programs print is no part of the report.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:

        def say(message: object) -> None:
            stream.write(json.dumps(message) + "\n")
            stream.flush()

        for seed in seeds:
            # Unhandled, its signal ends the process, whatever code is running.
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            one = judged(seed, engines, begins=say)
            say([one.seed, one.verdicts, [*one.cells], one.end, one.seconds])
    os._exit(0)


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip()
