"""Attempts that vanish, runs that are stopped at once, and what is shown meanwhile."""

import gc
import logging
import sys
from pathlib import Path

import durabletask.internal.orchestrator_service_pb2 as pb
import pytest

from perdure.testing import run
from perdure_azure.engine import runner
from perdure_azure.engine.app import App

pytest.importorskip("azure.durable_functions", reason="version 2 needs Python 3.13")

FLOWS = Path(__file__).parent / "lost.py"


def upper(name: str) -> str:
    return name.upper()


def lose(monkeypatch: pytest.MonkeyPatch, count: int) -> list[str]:
    """Let the first so many activities end without an outcome; the keys of all that came."""
    attempt = App.attempt
    keys: list[str] = []

    def losing(self: App, request: pb.ActivityRequest) -> pb.ActivityResponse:
        keys.append(request.input.value)
        if len(keys) > count:
            return attempt(self, request)
        lost = pb.TaskFailureDetails(errorType="WorkerGone", errorMessage="the worker died")
        return pb.ActivityResponse(
            instanceId=request.orchestrationInstance.instanceId,
            taskId=request.taskId,
            failureDetails=lost,
        )

    monkeypatch.setattr(App, "attempt", losing)
    return keys


def test_a_lost_attempt_is_made_again_with_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = lose(monkeypatch, 4)
    got = run(f"{FLOWS}:loses", target="azure", steps={"fragile": upper})
    assert got.result == "X"
    assert got.trace[0].attempts == 1
    assert len(keys) == 5
    assert len(set(keys)) == 1


def test_after_five_in_a_row_the_step_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = lose(monkeypatch, 5)
    got = run(f"{FLOWS}:loses", target="azure", steps={"fragile": upper})
    assert got.result == "fragile: 5 attempts vanished in a row"
    assert len(keys) == 5


def test_a_run_that_is_stopped_at_once_cleans_nothing_up_nor_do_its_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "CANCELS", "now")
    got = run(f"{FLOWS}:parent", target="azure", steps={}, cancel="1h")
    assert got.status == "cancelled"
    assert [entry.path for entry in got.trace] == []
    assert [record.text for record in got.logs] == ["before\n"]


def test_lines_are_logged_once_and_nothing_else_is_said(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    noise: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", noise.append)
    with caplog.at_level(logging.INFO, "perdure"):
        run(f"{FLOWS}:parent", target="azure", steps={}, events=[("1m", "x", 1)], cancel="1h")
    gc.collect()
    shown = [record.message for record in caplog.records if record.name == "perdure"]
    assert shown == ["before", "after"]
    assert noise == []
    assert capfd.readouterr().err == ""
