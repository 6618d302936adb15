"""Every scheme takes what its sender signs, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure import Basic, Bearer, Delivery, GitHub, Secret, Slack, StandardWebhooks, Stripe, secret
from perdure.webhooks.delivery import Refused
from perdure.webhooks.schemes import TOLERANCE, Scheme
from tests.webhooks.senders import BODY, NOW, SECRETS, SENDERS, Sender

every_sender = pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.name)
timed = pytest.mark.parametrize(
    "sender", [sender for sender in SENDERS if sender.timed], ids=lambda sender: sender.name
)
signing = pytest.mark.parametrize(
    "sender", [sender for sender in SENDERS if sender.signs_body], ids=lambda sender: sender.name
)


def refusal(sender: Sender, delivery: Delivery, now: float = NOW) -> Refused:
    """What the scheme says of a delivery that it refuses."""
    with pytest.raises(Refused) as caught:
        sender.scheme.check(delivery, now)
    return caught.value


# Vectors that the senders publish.


def test_the_vector_of_the_standard_webhooks_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANDARD_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    delivery = Delivery("POST", "/", headers, b'{"test": 2432232314}')
    scheme = StandardWebhooks(secret("STANDARD_SECRET"))
    assert scheme.check(delivery, 1614265330) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_the_vector_of_githubs_documentation() -> None:
    signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Delivery": "d"}
    delivery = Delivery("POST", "/", headers, b"Hello, World!")
    assert GitHub(secret("GITHUB_SECRET")).check(delivery, NOW) == "d"


def test_the_vector_of_slacks_documentation() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
        b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    headers = {"X-Slack-Request-Timestamp": "1531420618", "X-Slack-Signature": signature}
    delivery = Delivery("POST", "/", headers, body)
    assert Slack(secret("SLACK_SECRET")).check(delivery, 1531420618)
    assert delivery.form["command"] == "/webhook-collect"


# What is genuine.


@every_sender
def test_a_genuine_delivery_has_an_id(sender: Sender) -> None:
    expected = {"stripe": "evt_1", "slack": "Ev01"}.get(sender.name, "d-1")
    assert sender.scheme.check(sender.delivery(), NOW) == expected


@every_sender
def test_a_delivery_without_a_body_of_json_is_genuine_too(sender: Sender) -> None:
    for body in (b"", b"\xff\x00", b"a=1&b=2", "ünï".encode(), b"[1]"):
        assert isinstance(sender.scheme.check(sender.delivery(body), NOW), str)


@timed
@pytest.mark.parametrize("offset", [-TOLERANCE, 0, TOLERANCE])
def test_a_delivery_at_the_edge_of_its_time_is_taken(sender: Sender, offset: int) -> None:
    assert sender.scheme.check(sender.delivery(at=NOW + offset), NOW)


@every_sender
def test_any_of_several_secrets_is_good(sender: Sender) -> None:
    names = ("NEXT_SECRET", sender.scheme.secrets[0].name)
    if isinstance(sender.scheme, StandardWebhooks):
        names = ("OTHER_STANDARD_SECRET", names[1])
    secrets = [secret(name) for name in names]
    scheme: Scheme
    match sender.scheme:
        case Basic(user=user):
            scheme = Basic(user, *secrets)
        case StandardWebhooks() | GitHub() | Stripe() | Slack() | Bearer():
            scheme = type(sender.scheme)(*secrets)
        case _:
            raise AssertionError(sender.name)
    assert scheme.check(sender.delivery(), NOW)


def test_one_good_signature_of_several_is_enough() -> None:
    sender = SENDERS[0]
    headers = dict(sender.headers())
    headers["webhook-signature"] = f"v1,AAAA v1a,zzz {headers['webhook-signature']} v2,x"
    assert sender.scheme.check(Delivery("POST", "/", headers, BODY), NOW) == "d-1"


# What is not.


@signing
@given(at=st.integers(0, len(BODY) - 1), flip=st.integers(1, 255))
def test_a_body_with_one_other_byte_is_refused(sender: Sender, at: int, flip: int) -> None:
    body = bytearray(BODY)
    body[at] ^= flip
    assert refusal(sender, Delivery("POST", "/", sender.headers(), bytes(body))).status == 401


@every_sender
def test_a_changed_signature_is_refused(sender: Sender) -> None:
    unsigned = {"idempotency-key", "webhook-id", "x-github-delivery"}
    for name, value in sender.headers().items():
        if name.lower() in unsigned - {"webhook-id"}:
            continue
        for changed in (value[:-2], value[:-1] + "!", value.swapcase(), "", "=", ",", "\udcff"):
            if changed == value:
                continue
            headers = {**sender.headers(), name: changed}
            assert refusal(sender, Delivery("POST", "/", headers, BODY)).status == 401, changed


@every_sender
def test_a_missing_header_is_refused(sender: Sender) -> None:
    for name in sender.headers():
        if name == "Idempotency-Key":
            continue
        headers = {key: value for key, value in sender.headers().items() if key != name}
        assert refusal(sender, Delivery("POST", "/", headers, BODY)).status == 401


@timed
@pytest.mark.parametrize("offset", [-TOLERANCE - 1, TOLERANCE + 1, -86400 * 365])
def test_a_late_or_an_early_delivery_is_refused(sender: Sender, offset: int) -> None:
    late = refusal(sender, sender.delivery(at=NOW + offset))
    assert late.status == 401
    assert "300 seconds" in late.reason


@timed
def test_another_time_beside_the_signature_is_refused(sender: Sender) -> None:
    headers = {
        name: value.replace(str(int(NOW)), str(int(NOW) + 1))
        for name, value in sender.headers().items()
    }
    assert refusal(sender, Delivery("POST", "/", headers, BODY)).status == 401


@every_sender
def test_a_secret_that_is_empty_lets_nobody_in(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sender.name == "basic":
        return  # the user name keeps the pair from being empty; see the next test
    for item in sender.scheme.secrets:
        monkeypatch.setenv(item.name, "")
    headers = {name: value.rpartition(" ")[0] + " " for name, value in sender.headers().items()}
    for delivery in (sender.delivery(), Delivery("POST", "/", headers, BODY)):
        with pytest.raises(Refused):
            sender.scheme.check(delivery, NOW)


def test_what_a_scheme_says_holds_no_secret_and_no_signature() -> None:
    for sender in SENDERS:
        said = refusal(
            sender,
            Delivery(
                "POST",
                "/",
                {
                    **sender.headers(),
                    **{name: value[:-3] + "abc" for name, value in sender.headers().items()},
                },
                BODY,
            ),
        ).reason
        assert not any(value in said for value in SECRETS.values())
        assert len(said) < 80


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
                "svix-id",
                "svix-timestamp",
                "svix-signature",
                "x-hub-signature-256",
                "x-github-delivery",
                "stripe-signature",
                "x-slack-request-timestamp",
                "x-slack-signature",
                "authorization",
                "idempotency-key",
            ]
        ),
        st.text(max_size=40)
        | st.sampled_from(
            [
                str(int(NOW)),
                f"t={int(NOW)},v1=",
                "v0=",
                "sha256=",
                "Bearer ",
                "Basic Og==",
                "v1,",
                "v1, ",
            ]
        ),
    ),
    st.binary(max_size=60),
)
def test_nothing_made_up_is_genuine(headers: dict[str, str], body: bytes) -> None:
    for sender in SENDERS:
        assert refusal(sender, Delivery("POST", "/", headers, body)).status in (400, 401)


def test_a_scheme_is_given_names_and_no_secrets() -> None:
    with pytest.raises(TypeError, match='write secret\\("NAME"\\)'):
        GitHub("It's a Secret to Everybody")  # type: ignore[arg-type]  # what is refused
    with pytest.raises(TypeError, match="needs a secret"):
        GitHub()
    assert isinstance(GitHub(secret("A")).secrets[0], Secret)
