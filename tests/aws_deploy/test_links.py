"""Approval links and schedules of a deployed flow: each does one thing, once."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.cron import next_due, parse
from perdure.deployment import Runs
from perdure.runtime.engine import Completed
from perdure.store.runs import list_runs
from perdure_aws.deploy.verbs import AwsDeployer
from perdure_aws.scheduler import expressions
from tests.aws_deploy.cloud import Cloud, cloud
from tests.aws_deploy.cloud.front import scheduled
from tests.aws_deploy.hooks import body_of, deliver, deploy_hooks, url_of


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, Runs]]:
    """One cloud with the project for all tests here."""
    folder = tmp_path_factory.mktemp("links")
    (folder / "project").mkdir()
    with cloud(folder / "cloud") as there:
        place = deploy_hooks(folder / "project")
        yield there, AwsDeployer().connect(place)


@pytest.fixture
def there(deployed: tuple[Cloud, Runs]) -> Cloud:
    return deployed[0]


@pytest.fixture
def runs(deployed: tuple[Cloud, Runs]) -> Runs:
    return deployed[1]


def asked(there: Cloud, folder: Path, id: str) -> tuple[str, str, str]:
    """A run that waits for its approval: its id, the link to say yes, that to say no."""
    file = folder / "links"
    body = body_of(id, 5, str(file))
    run = json.loads(deliver(there, "github", body, id).body)["run"]
    yes, no = file.read_text().split()
    return run, yes, no


def test_a_link_shows_what_it_does_and_does_it_once(
    there: Cloud, runs: Runs, tmp_path: Path
) -> None:
    run, yes, no = asked(there, tmp_path, "once")
    assert yes.startswith(url_of(there, "/approve/"))
    for method in ("GET", "HEAD", "GET"):
        page = there.request(yes, method=method)
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "no-store" in page.headers["cache-control"]
    assert runs.outcome(run) is None, "who only looks has not approved"
    assert there.request(yes).status == 200
    assert runs.outcome(run) == Completed("5: True")
    assert there.request(yes).status == 410
    assert there.request(no).status == 410


def test_the_first_of_the_links_of_a_decision_counts(
    there: Cloud, runs: Runs, tmp_path: Path
) -> None:
    run, yes, no = asked(there, tmp_path, "first")
    assert there.request(no).status == 200
    assert there.request(yes).status == 410
    assert runs.outcome(run) == Completed("5: False")


def test_a_link_expires(there: Cloud, runs: Runs, tmp_path: Path) -> None:
    run, yes, _ = asked(there, tmp_path, "expires")
    there.advance(3_599)
    assert there.request(yes, method="GET").status == 200
    there.advance(2)
    assert there.request(yes, method="GET").status == 410
    assert there.request(yes).status == 410
    assert runs.outcome(run) is None


def test_a_link_that_was_changed_does_nothing(there: Cloud, runs: Runs, tmp_path: Path) -> None:
    run, yes, no = asked(there, tmp_path, "changed")
    path = urlsplit(yes).path.removeprefix("/approve/")
    body, _, signature = path.partition(".")
    other = urlsplit(no).path.removeprefix("/approve/").partition(".")[0]
    for token in (
        f"{other}.{signature}",
        body,
        f"{body}.",
        f".{signature}",
        f"{body}A.{signature}",
    ):
        assert there.request(url_of(there, f"/approve/{token}")).status == 401, token
    assert there.request(yes, method="PUT").status == 405
    assert runs.outcome(run) is None


# --- schedules -----------------------------------------------------------------------------------


def named(runs: Runs, word: str) -> list[str]:
    """The ids of runs that were started by the schedule with this note."""
    found = [one for one in list_runs(runs.store) if word in json.dumps(one.input)]
    return sorted(one.run for one in found)


def test_a_moment_starts_one_run_though_it_is_told_twice(there: Cloud, runs: Runs) -> None:
    there.deliveries = 2
    begin, told = there.now, len(there.front.told)
    there.advance(3 * 86_400)
    due, after = list[str](), begin
    while (after := next_due(parse("30 2 * * *", "Europe/Berlin"), after)) <= there.now:
        due.append(f"orders-{after:%Y%m%dT%H%M}Z")
    assert len(due) == 3
    found = named(runs, "nightly")[-3:]
    assert [run.rpartition("-")[0] for run in found] == due, "behind it, what input it is"
    assert all(runs.outcome(run) == Completed("nightly") for run in found)
    assert len(there.front.told) - told >= 2 * len(due)


def test_days_of_month_and_week_are_either(there: Cloud, runs: Runs) -> None:
    begin, schedule = there.now, parse("0 9 1 * MON")
    there.advance(40 * 86_400)
    due, after = list[str](), begin
    while (after := next_due(schedule, after)) <= there.now:
        due.append(f"orders-{after:%Y%m%dT%H%M}Z")
    found = named(runs, "monthly")[-len(due) :]
    assert [run.rpartition("-")[0] for run in found] == due
    days = {datetime.strptime(one, "orders-%Y%m%dT%H%MZ") for one in due}
    assert any(one.weekday() != 0 for one in days), "the first of a month"
    assert sum(one.weekday() == 0 for one in days) >= 5


def test_expressions_of_scheduler() -> None:
    assert expressions("0 9 * * MON-FRI", "UTC") == ("cron(0 9 ? * 2-6 *)",)
    assert expressions("*/15 * * * *", "UTC") == ("cron(0,15,30,45 * * * ? *)",)
    assert expressions("0 0 1,15 * SUN", "UTC") == ("cron(0 0 1,15 * ? *)", "cron(0 0 ? * 1 *)")
    assert expressions("@hourly", "UTC") == ("cron(0 * * * ? *)",)
    longest = ("1-59/2 1-23/2 1-31/2 1-12/2 1-6/2",)
    assert all(len(one) <= 256 for one in expressions(*longest, "UTC"))


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    spans = st.tuples(number, number).map(lambda two: f"{min(two)}-{max(two)}")
    one = st.one_of(number.map(str), spans, spans.map(lambda span: f"{span}/2"))
    return st.one_of(st.just("*"), st.lists(one, min_size=1, max_size=3).map(",".join))


@settings(max_examples=60, deadline=None)
@given(
    fields=st.tuples(_field(0, 59), _field(0, 23), _field(1, 28), _field(1, 12), _field(0, 7)),
    tz=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
    day=st.integers(0, 365),
)
def test_scheduler_is_due_when_the_flow_is(fields: tuple[str, ...], tz: str, day: int) -> None:
    expression = " ".join(fields)
    after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    schedule, ours, at = parse(expression, tz), list[datetime](), after
    for _ in range(4):
        at = next_due(schedule, at)
        ours.append(at)
    theirs = {
        moment
        for one in expressions(expression, tz)
        for moment in islice(scheduled(one, tz, after), 4)
    }
    assert sorted(theirs)[:4] == ours
