"""Signs deliveries as each sender does, written apart from what checks them."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple

from perdure import Basic, Bearer, Delivery, GitHub, Slack, StandardWebhooks, Stripe, secret
from perdure.webhooks.schemes import Scheme

NOW = 1_767_225_600.0
SECRETS = {
    "STANDARD_SECRET": "whsec_" + base64.b64encode(b"standard signing key 123").decode(),
    "GITHUB_SECRET": "It's a Secret to Everybody",
    "STRIPE_SECRET": "whsec_stripe_keeps_the_prefix",
    "SLACK_SECRET": "8f742231b10e8888abcd99yyyzzz85a5",
    "BEARER_SECRET": "token-of-a-friend",
    "BASIC_SECRET": "open sesame",
    "OTHER_STANDARD_SECRET": "whsec_" + base64.b64encode(b"the next standard key").decode(),
    "NEXT_SECRET": "the one that comes after",
}
BODY = b'{"id": "evt_1", "event_id": "Ev01", "amount": 12}'


class Sender(NamedTuple):
    """One scheme: how it is checked, and the headers of a genuine delivery."""

    name: str
    scheme: Scheme
    timed: bool
    """Whether it signs a time."""
    signs_body: bool

    def headers(self, body: bytes = BODY, at: float = NOW, id: str = "d-1") -> Mapping[str, str]:
        """What the sender puts beside a body."""
        moment = str(int(at))
        match self.name:
            case "standard":
                key = base64.b64decode(SECRETS["STANDARD_SECRET"].removeprefix("whsec_"))
                text = f"{id}.{moment}.".encode() + body
                digest = hmac.new(key, text, hashlib.sha256).digest()
                return {
                    "webhook-id": id,
                    "webhook-timestamp": moment,
                    "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
                }
            case "github":
                return {
                    "X-GitHub-Delivery": id,
                    "X-Hub-Signature-256": f"sha256={_hex('GITHUB_SECRET', body)}",
                }
            case "stripe":
                signature = _hex("STRIPE_SECRET", f"{moment}.".encode() + body)
                return {"Stripe-Signature": f"t={moment},v0=old,v1={signature}"}
            case "slack":
                signature = _hex("SLACK_SECRET", f"v0:{moment}:".encode() + body)
                return {
                    "X-Slack-Request-Timestamp": moment,
                    "X-Slack-Signature": f"v0={signature}",
                }
            case "bearer":
                token = SECRETS["BEARER_SECRET"]
                return {"Authorization": f"Bearer {token}", "Idempotency-Key": id}
            case _:
                pair = base64.b64encode(f"ann:{SECRETS['BASIC_SECRET']}".encode()).decode()
                return {"Authorization": f"Basic {pair}", "Idempotency-Key": id}

    def delivery(self, body: bytes = BODY, at: float = NOW, id: str = "d-1") -> Delivery:
        """A genuine delivery."""
        return Delivery("POST", "/hook", self.headers(body, at, id), body)


def _hex(name: str, text: bytes) -> str:
    return hmac.new(SECRETS[name].encode(), text, hashlib.sha256).hexdigest()


SENDERS = (
    Sender("standard", StandardWebhooks(secret("STANDARD_SECRET")), True, True),
    Sender("github", GitHub(secret("GITHUB_SECRET")), False, True),
    Sender("stripe", Stripe(secret("STRIPE_SECRET")), True, True),
    Sender("slack", Slack(secret("SLACK_SECRET")), True, True),
    Sender("bearer", Bearer(secret("BEARER_SECRET")), False, False),
    Sender("basic", Basic("ann", secret("BASIC_SECRET")), False, False),
)
