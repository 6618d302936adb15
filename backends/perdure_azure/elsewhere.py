"""An older release, run in a process of its own: this side of it.

The process begins with the first call and is begun again when it ended; a call that it took along
is made again, for whatever runs in it may run twice. Calls are lines of JSON
(`perdure_azure.served`), several at a time.
"""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Final, final

from perdure.codec.text import Json

__all__ = ["Elsewhere"]

TRIES: Final = 3
"""How often a call is made whose process ends under it."""


@final
class _Ended(Exception):  # noqa: N818
    """The process ended before it answered."""


@final
class Elsewhere:
    """The functions of the release in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: dict[int, Future[Json]] = {}
        self._count = 0

    def orchestrate(self, name: str, body: str) -> str:
        """An episode: what the host gave, what it is answered."""
        return str(self._call(name, {"body": body}))

    def attempt(self, name: str, call: Json) -> Json:
        """An activity."""
        return self._call(name, {"call": call})

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait()

    def _call(self, name: str, given: dict[str, Json]) -> Json:
        for number in range(TRIES):
            try:
                return self._asked(name, given).result()
            except (_Ended, BrokenPipeError, ValueError):
                if number == TRIES - 1:
                    raise RuntimeError(f"{name} ended its process {TRIES} times") from None
        raise AssertionError("it has returned")

    def _asked(self, name: str, given: dict[str, Json]) -> "Future[Json]":
        with self._lock:
            process = self._process
            if process is None or process.poll() is not None:
                process = self._process = self._begun()
            self._count += 1
            answer: Future[Json] = Future()
            self._waiting[self._count] = answer
            line = json.dumps({"id": self._count, "function": name, **given})
            assert process.stdin is not None
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            return answer

    def _begun(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "perdure_azure.served"],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_path(self._folder))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        reads = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        reads.start()
        return process

    def _read(self, answers: IO[bytes]) -> None:
        for line in answers:
            said = json.loads(line)
            answer = self._waiting.pop(int(said["id"]))
            if "error" in said:
                answer.set_exception(RuntimeError(str(said["error"])))
            else:
                answer.set_result(said["value"])
        with self._lock:
            lost, self._waiting = self._waiting, {}
        for answer in lost.values():
            answer.set_exception(_Ended())


def _path(folder: Path) -> list[str]:
    """Where that process finds modules: the release's, and those that are installed."""
    app = folder.parent.parent
    installed = [one for one in sys.path if one and Path(one).resolve() != app.resolve()]
    return [str(folder), *installed]
