"""Which function may read which secret: as much as its code could, and no more."""

from pathlib import Path

from perdure.diagnostics import Report
from perdure.driver import FlowName, check_flow
from perdure.frontend.secret_readers import Readers

CLIENTS = """
from perdure import secret

class Client:
    def __init__(self):
        self.key = secret("CLIENT_KEY").value

    def get(self):
        return deeper()

def deeper():
    return secret("DEEP_KEY").value

def unused():
    return secret("UNUSED_KEY").value
"""
FLOW = """
from perdure import GitHub, Webhook, flow, secret, step

HOOK = secret("HOOK_KEY")
MAIL = secret("MAIL_KEY")


def started(delivery):
    return {"n": len(secret("START_KEY").value)}


@step
async def plain(n: int) -> int:
    return n


@step
async def mail(n: int) -> int:
    from clients import Client
    return n + len(MAIL.value) + len(Client().get())


@step(group="heavy")
async def heavy(n: int) -> int:
    return len(globals()["hidden"]())


def hidden():
    return secret("HIDDEN_KEY").value


@flow(on=Webhook("/x", verify=GitHub(HOOK), start=started))
async def main(n: int) -> int:
    return await plain(n) + await mail(n) + await heavy(n)
"""


def readers(folder: Path, source: str) -> Readers:
    (folder / "clients.py").write_text(CLIENTS)
    (folder / "pyproject.toml").write_text("")
    (folder / "app.py").write_text(source)
    report = Report()
    analysis = check_flow(FlowName(folder / "app.py"), report)
    assert analysis is not None, report
    return analysis.readers


def test_who_reads_what(tmp_path: Path) -> None:
    found = readers(tmp_path, FLOW)
    assert found.door == ("HOOK_KEY", "START_KEY")
    assert dict(found.steps) == {
        None: ("CLIENT_KEY", "DEEP_KEY", "MAIL_KEY"),
        "heavy": ("HIDDEN_KEY",),
    }


def test_what_importing_reads_everybody_reads(tmp_path: Path) -> None:
    source = FLOW.replace('MAIL = secret("MAIL_KEY")', 'MAIL = open(secret("MAIL_KEY").value)')
    found = readers(tmp_path, source)
    assert "MAIL_KEY" in found.door
    assert all("MAIL_KEY" in names for _, names in found.steps)


def test_a_flow_that_reads_none_has_no_readers(tmp_path: Path) -> None:
    source = "from perdure import flow\n\n@flow\nasync def main() -> int:\n    return 1\n"
    assert readers(tmp_path, source) == Readers()
