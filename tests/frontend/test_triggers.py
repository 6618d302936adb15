"""`@flow(on=...)` and `secret("NAME")`, read from the source."""

from pathlib import Path

import pytest

from perdure import Cron, Webhook
from perdure.diagnostics import Report
from perdure.driver import FlowName, build_program, check_flow, check_source
from perdure.ir import CronTrigger, Program, WebhookTrigger
from perdure.language import Flow

HEAD = """\
from perdure import (
    Basic, Bearer, Cron, GitHub, Slack, StandardWebhooks, Stripe, Webhook, flow, secret, step,
)
import perdure as p

TOKEN = secret("TOKEN")
PATH = "/constant"


@step
async def fetch(key: str = "") -> str:
    return secret("FETCH_KEY").value


"""
FLOW = """
async def main(key: str = "") -> str:
    return await fetch(key)
"""


def program(tmp_path: Path, decorator: str) -> Program:
    """The program of a flow that is decorated so."""
    (tmp_path / "flows.py").write_text(HEAD + decorator + FLOW)
    report = Report()
    analysis = check_flow(FlowName(tmp_path / "flows.py"), report)
    assert analysis is not None, report.diagnostics
    built = build_program(analysis, report)
    assert built is not None
    return built


def test_triggers_come_out_as_data_in_source_order(tmp_path: Path) -> None:
    decorator = """@flow(on=[
    Webhook("/github", verify=GitHub(secret("GITHUB_OLD"), TOKEN), start=lambda d: {"key": d.id}),
    p.Webhook(PATH, verify=Basic("ann", TOKEN), event="paid", run=lambda d: "x", max_bytes=99),
    Cron("0 9 * * MON-FRI", tz="Europe/Berlin", input={"key": "daily"}),
])"""
    built = program(tmp_path, decorator)
    github, paid, daily = built.triggers
    assert isinstance(github, WebhookTrigger)
    assert isinstance(paid, WebhookTrigger)
    assert github[:5] == ("/github", "GitHub", ("GITHUB_OLD", "TOKEN"), None, 262_144)
    assert paid[:5] == ("/constant", "Basic", ("TOKEN",), "paid", 99)
    assert isinstance(daily, CronTrigger)
    assert daily[:3] == ("0 9 * * MON-FRI", "Europe/Berlin", {"key": "daily"})
    assert github.span.line == 16
    assert built.secrets == ("FETCH_KEY", "GITHUB_OLD", "TOKEN")


def test_what_is_read_is_what_python_makes(tmp_path: Path) -> None:
    decorator = '@flow(on=(Webhook(PATH, verify=Stripe(TOKEN)), Cron("@daily")))'
    built = program(tmp_path, decorator)
    names: dict[str, object] = {}
    exec((tmp_path / "flows.py").read_text(), names)
    live = names["main"]
    assert isinstance(live, Flow)
    webhook, cron = live.on
    assert isinstance(webhook, Webhook)
    assert isinstance(cron, Cron)
    first, second = built.triggers
    assert isinstance(first, WebhookTrigger)
    assert isinstance(second, CronTrigger)
    assert (first.path, first.scheme) == (webhook.path, type(webhook.verify).__name__)
    assert first.secrets == tuple(item.name for item in webhook.verify.secrets)
    assert (second.expression, second.tz) == (cron.expression, cron.schedule.tz)


def test_a_flow_without_triggers_has_none(tmp_path: Path) -> None:
    assert program(tmp_path, "@flow").triggers == ()
    assert program(tmp_path, "@flow(retry=2)").triggers == ()


@pytest.mark.parametrize(
    ("trigger", "problem"),
    [
        ("fetch", "neither a Webhook nor a Cron"),
        ('Webhook("github", verify=GitHub(TOKEN))', "no path"),
        ('Webhook("/a b", verify=GitHub(TOKEN))', "no path"),
        ('Webhook("/a")', "who may send"),
        ('Webhook("/a", verify=TOKEN)', "none of perdure's schemes"),
        ('Webhook("/a", verify=GitHub("s3cret"))', "by name"),
        ('Webhook("/a", verify=GitHub())', "no secret"),
        ('Webhook("/a", verify=GitHub(TOKEN), statr=None)', "no option `statr`"),
        ('Webhook("/a", "/b", verify=GitHub(TOKEN))', "too many arguments"),
        ('Webhook("/a", verify=GitHub(TOKEN), event="e")', "which run"),
        ('Webhook("/a", verify=GitHub(TOKEN), payload=str)', "goes with `event=`"),
        ('Webhook("/a", verify=GitHub(TOKEN), event="e", run=str, key=str)', "starts a run"),
        ('Webhook("/a", verify=GitHub(TOKEN), max_bytes=0)', "number of bytes"),
        ('Cron("0 9 * *")', "4 fields"),
        ('Cron("0 9 * * *", tz="Mars")', "time zone"),
        ('Cron("0 9 * * *", input={"key": str(1)})', "not written out"),
    ],
)
def test_a_trigger_that_cannot_be_read_is_refused(trigger: str, problem: str) -> None:
    report = check_source(HEAD + f"@flow(on={trigger})" + FLOW)
    assert [found.code for found in report.diagnostics] == ["PDR230"]
    assert problem in report.diagnostics[0].message


def test_a_secret_that_has_no_name_is_refused() -> None:
    for name in ('"a-b"', "PATH", "", '"A" + "B"'):
        text = HEAD + f'@flow(on=Webhook("/a", verify=GitHub(secret({name}))))' + FLOW
        assert "PDR231" in [found.code for found in check_source(text).diagnostics]


def test_every_wrong_trigger_is_reported_at_once() -> None:
    report = check_source(HEAD + '@flow(on=[Cron("x"), fetch, Cron("0 0 30 2 *")])' + FLOW)
    assert [found.code for found in report.diagnostics] == ["PDR230"] * 3
