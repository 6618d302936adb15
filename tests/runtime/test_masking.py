"""What a step read as a secret is in no log, no progress and no history, on any engine."""

import json
from pathlib import Path

import pytest

from perdure import secrets
from perdure.testing import run
from tests.local.project import command, write_project

VALUE = "sk-live-0123456789abcdef"
FLOW = """
import logging

from perdure import event, flow, progress, secret, step

logger = logging.getLogger(__name__)


@step
async def halves() -> list[str]:
    value = secret("LEAKY_KEY").value
    return [value[:9], value[9:]]


@step
async def shout() -> str:
    raise ValueError("not accepted: " + secret("LEAKY_KEY").value)


@flow
async def leaky() -> str:
    a, b = await halves()
    print("the key is", a + b)
    logger.warning("key %s", a + b)
    await progress({"key": a + b, a + b: ["key", a + b]})
    try:
        await shout()
    except ValueError as error:
        print(error)
    return "ended"


@flow
async def patient() -> str:
    a, b = await halves()
    await event("go")
    print("the key is", a + b)
    await progress(a + b)
    return "ended"
"""


@pytest.mark.parametrize(
    ("target", "engine"),
    [
        ("reference", None),
        ("local", None),
        ("aws", "moto"),
        ("aws", "sfnx"),
        ("gcp", None),
        ("azure", "memory"),
    ],
)
def test_a_secret_that_was_read_is_in_no_record(
    target: str, engine: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKY_KEY", VALUE)
    monkeypatch.setattr(secrets, "_revealed", set[str]())
    root = write_project(tmp_path, app=FLOW)
    result = run(f"{root / 'app.py'}:leaky", {}, target=target, engine=engine, unscripted="run")
    assert (result.status, result.result) == ("done", "ended"), result.error
    texts = [record.text for record in result.logs]
    assert texts == ["the key is ***\n", "key ***", "not accepted: ***\n"]
    for what in (result.logs, result.progress, result.history, result.trace):
        assert VALUE not in repr(what)
    if result.progress is not None:
        assert result.progress == {"key": "***", "***": ["key", "***"]}


def test_a_later_process_that_read_nothing_masks_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_project(tmp_path, app=FLOW)
    (root / ".env").write_text(f"LEAKY_KEY={VALUE}\n")
    shown = command(root, "run", "app.py:patient", "--detach", "--id", "a", code=4)
    shown += command(root, "send", "a", "go")
    assert "the key is ***" in shown
    shown += command(root, "show", "a") + json.dumps(command(root, "show", "a", "--json"))
    assert VALUE not in shown
    for file in (root / ".perdure").iterdir():
        assert VALUE.encode() not in file.read_bytes(), file
