"""Webhooks of a deployed flow: signed deliveries in, runs and events out, the rest refused."""

import json
import random
import re
from collections.abc import Iterator, Mapping

import pytest

from perdure.deployment import Runs
from perdure.runtime.engine import Completed
from perdure.store.runs import find_run
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Cloud, cloud
from tests.aws_deploy.hooks import body_of, counted, deliver, deploy_hooks, sender, url_of
from tests.webhooks.senders import SENDERS

NAMES = [one.name for one in SENDERS]
TIMED = [one.name for one in SENDERS if one.timed]
SIGNING = [one.name for one in SENDERS if one.signs_body]
FUZZED = 10_000


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, Runs]]:
    """One cloud with the project for all tests here: each brings deliveries of its own."""
    folder = tmp_path_factory.mktemp("hooks")
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


@pytest.mark.parametrize("name", NAMES)
def test_a_genuine_delivery_starts_one_run_however_often_it_comes(
    there: Cloud, runs: Runs, name: str
) -> None:
    executions, started = counted(there, runs)
    body = body_of(f"genuine-{name}")
    first = deliver(there, name, body, f"genuine-{name}")
    assert first.status == 202, first
    run = json.loads(first.body)["run"]
    assert run.startswith("orders-")
    assert runs.outcome(run) == Completed("done")
    for _ in range(2):
        again = deliver(there, name, body, f"genuine-{name}")
        assert (again.status, json.loads(again.body)["run"]) == (200, run)
    assert counted(there, runs) == (executions + 1, started + 1)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_genuine_starts_nothing(there: Cloud, runs: Runs, name: str) -> None:
    before = counted(there, runs)
    body, now = body_of("forged"), there.now.timestamp()
    headers = dict(sender(name).headers(body, now, "forged"))
    url = url_of(there, f"/{name}")
    assert there.request(url, body, {}).status == 401, "nobody has signed it"
    for header in sorted(headers):
        if header.lower() not in ("idempotency-key",):
            left = {key: value for key, value in headers.items() if key != header}
            assert there.request(url, body, left).status == 401, header
    for header, value in sorted(headers.items()):
        if any(word in header.lower() for word in ("signature", "authorization")):
            wrong = {**headers, header: value[:-2] + ("AA" if value[-2:] != "AA" else "BB")}
            assert there.request(url, body, wrong).status == 401, header
    assert counted(there, runs) == before


@pytest.mark.parametrize("name", SIGNING)
def test_a_tampered_body_starts_nothing(there: Cloud, runs: Runs, name: str) -> None:
    before = counted(there, runs)
    body = body_of("tampered")
    headers = sender(name).headers(body, there.now.timestamp(), "tampered")
    changed = body.replace(b"7", b"8")
    assert changed != body
    for other in (changed, body + b" ", body[:-1], b""):
        answer = there.request(url_of(there, f"/{name}"), other, headers)
        assert answer.status == 401
    assert counted(there, runs) == before


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("off", [-301, 301, -86_400])
def test_what_was_signed_at_another_time_starts_nothing(
    there: Cloud, runs: Runs, name: str, off: int
) -> None:
    before = counted(there, runs)
    body = body_of("late")
    headers = sender(name).headers(body, there.now.timestamp() + off, "late")
    assert there.request(url_of(there, f"/{name}"), body, headers).status == 401
    assert counted(there, runs) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_delivery_is_replayed_in_vain(there: Cloud, runs: Runs, name: str) -> None:
    body = body_of(f"replayed-{name}")
    headers = dict(sender(name).headers(body, there.now.timestamp(), f"replayed-{name}"))
    url = url_of(there, f"/{name}")
    assert there.request(url, body, headers).status == 202
    before = counted(there, runs)
    there.advance(200)
    assert there.request(url, body, headers).status == 200
    there.advance(200)
    late = there.request(url, body, headers).status
    assert late == (401 if sender(name).timed else 200)
    assert counted(there, runs) == before


def test_a_body_is_signed_as_it_was_sent_in_base64_too(there: Cloud, runs: Runs) -> None:
    body = body_of("binary", note="ä\u2028 done")
    answer = deliver(there, "github", body, "b-1", more={"content-type": "application/octet"})
    assert answer.status == 202
    assert runs.outcome(json.loads(answer.body)["run"]) == Completed("ä\u2028 done")
    raw = b'{"order": "\xff\xfe"}'
    answer = deliver(there, "github", raw, "b-2", more={"content-type": "application/octet"})
    assert answer.status == 400, "genuine, and no UTF-8"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"order": NaN}', 400),
        (b"[" * 100_000, 413),
        (b"[" * 1_900, 400),
        (b'{"order": {"number": "seven"}}', 422),
        (b'{"order": {"number": 7, "colour": "red"}}', 422),
        (b'{"order": 7}', 422),
        (b'{"action": "closed"}', 204),
        (b'{"order": {"number": 7, "note": "' + b"x" * 2000 + b'"}}', 413),
    ],
)
def test_malformed_and_oversized_deliveries_start_nothing(
    there: Cloud, runs: Runs, body: bytes, status: int
) -> None:
    before = counted(there, runs)
    assert deliver(there, "github", body, "malformed").status == status
    assert counted(there, runs) == before


def test_other_methods_and_paths_start_nothing(there: Cloud, runs: Runs) -> None:
    before = counted(there, runs)
    body = body_of("elsewhere")
    headers = sender("github").headers(body, there.now.timestamp(), "elsewhere")
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = there.request(url_of(there, "/github"), body, headers, method)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
    for path in ("/", "/githubs", "/github/", "/github/x", "/GITHUB", "/approve/", "/approve/a/b"):
        assert there.request(url_of(there, path), body, headers).status == 404, path
    large = b"x" * (10 * 1024 * 1024 + 1)
    assert there.request(url_of(there, "/github"), large, headers).status == 413
    assert counted(there, runs) == before


def test_a_webhook_wakes_the_run_that_waits(there: Cloud, runs: Runs) -> None:
    body = body_of("waits", 12, "wait")
    run = json.loads(deliver(there, "github", body, "waits").body)["run"]
    assert runs.outcome(run) is None

    def pay(id: str, **fields: object) -> int:
        paid = json.dumps({"run": run, **fields}).encode()
        return deliver(there, "standard", paid, id, path="/paid").status

    assert pay("p-1", amount="much") == 422, "a payload that does not fit is refused at its sender"
    assert pay("p-2", amount=5, run="nobody") == 404
    assert pay("p-3", amount=5, run=None) == 204
    assert runs.outcome(run) is None
    assert pay("p-4", amount=5) == 202
    assert runs.outcome(run) == Completed("12: 5.0")
    assert pay("p-4", amount=5) == 404, "it has ended since"


def test_an_event_is_stored_once(there: Cloud, runs: Runs) -> None:
    body = body_of("stored", 12, "wait")
    run = json.loads(deliver(there, "github", body, "stored").body)["run"]
    early = json.dumps({"run": run, "amount": 1}).encode()
    there.advance(1)
    assert find_run(runs.store, run).end is None
    assert deliver(there, "standard", early, "e-1", path="/paid").status == 202
    assert runs.outcome(run) == Completed("12: 1.0")


def test_an_answer_tells_a_stranger_nothing(there: Cloud) -> None:
    answer = there.request(url_of(there, "/github"), b"{}", {"x-hub-signature-256": "sha256=00"})
    assert json.loads(answer.body) == {"error": "the signature does not match"}
    found = {name.lower() for name in answer.headers}
    assert found == {"content-type"}


def mutated(there: Cloud, random: random.Random, number: int) -> tuple[str, bytes, dict[str, str]]:
    """A delivery with something wrong about it: where, what, under which headers."""
    one = random.choice(SENDERS)
    body, id = body_of(f"fuzz-{number}"), f"fuzz-{number}"
    headers = dict(one.headers(body, there.now.timestamp(), id))
    name = random.choice([h for h in sorted(headers) if h.lower() != "idempotency-key"])
    value = headers[name]
    match random.randrange(6):
        case 0:
            del headers[name]
        case 1:
            at = random.randrange(len(value))
            headers[name] = value[:at] + chr(random.randrange(32, 0x250)) + value[at + 1 :]
        case 2:
            headers[name] = "".join(chr(random.randrange(32, 0x2FF)) for _ in range(9))
        case 3:
            headers[name] = value * 2
        case 4 if one.signs_body:
            at = random.randrange(len(body))
            body = body[:at] + bytes([random.randrange(256)]) + body[at + 1 :]
        case _:
            headers = {}
    path = random.choice([f"/{one.name}"] * 8 + ["/paid", "/approve/" + value[-20:].strip("/")])
    return path, body, headers


def proves(path: str, body: bytes, headers: Mapping[str, str], now: float) -> bool:
    """Whether a delivery holds what only somebody with the secret can have made for this body."""
    name = path[1:]
    if name not in NAMES:
        return False
    said = " ".join(headers.values())
    times = [int(word) for word in re.findall(r"[0-9]{10}", said)] or [0]
    for at in times if sender(name).timed else [int(now)]:
        for id in [headers.get("webhook-id", ""), "any"]:
            made = sender(name).headers(body, at, id)
            proof = max(re.findall(r"[A-Za-z0-9+/=]{16,}|[a-z-]{12,}|YW5u\S+", str(made)), key=len)
            if proof in said and abs(now - at) <= 300:
                return True
    return False


@pytest.mark.parametrize("count", [1_000, pytest.param(FUZZED, marks=pytest.mark.slow)])
def test_fuzzed_deliveries_start_nothing(there: Cloud, runs: Runs, count: int) -> None:
    before, chance, genuine = counted(there, runs), random.Random(count), 0
    for number in range(count):
        path, body, headers = mutated(there, chance, number)
        answer = there.request(url_of(there, path), body, headers)
        if answer.status == 202:
            assert proves(path, body, headers, there.now.timestamp()), (path, body, headers)
            genuine += 1  # what was changed is nothing that its sender signs
            continue
        assert 400 <= answer.status < 500, (number, path, body, headers, answer)
    executions, started = counted(there, runs)
    assert (executions, started) == (before[0] + genuine, before[1] + genuine)
    assert genuine < count * 0.1
