"""Who sent a delivery: the schemes by which senders sign, checked over the raw body.

A scheme's `check` gives the sender's id of a delivery that is genuine and in time; else it raises
`Refused` with the status to answer. Comparisons take the same time wherever they fail. Several
secrets are all good: that is how one is replaced. Sources: Standard Webhooks 1.0 specification;
GitHub "Validating webhook deliveries"; Stripe "Verify webhook signatures manually"; Slack
"Verifying requests from Slack"; RFC 6750 (Bearer); RFC 7617 (Basic).
"""

import base64
import binascii
import hmac
import re
from hashlib import sha256
from typing import Final, Protocol, final

from perdure.secrets import Secret
from perdure.webhooks.delivery import Delivery, Refused

__all__ = ["Basic", "Bearer", "GitHub", "Scheme", "Slack", "StandardWebhooks", "Stripe"]

TOLERANCE: Final = 300
"""Seconds that a signed time may lie before or after now: what all three senders advise."""

LONGEST_ID: Final = 256
"""Characters of a delivery's id; senders' own are far shorter."""


class Scheme(Protocol):
    """How a sender proves itself. `secrets` are all that `check` reads."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets that this scheme reads."""
        ...

    def check(self, delivery: Delivery, now: float) -> str:
        """The sender's id of a genuine delivery ("" if it gives none); else Refused."""
        ...


@final
class StandardWebhooks:
    """Standard Webhooks (OpenAI, Anthropic, Svix and many more), `v1` signatures.

    Signed: `id.time.body` by HMAC-SHA256; secrets are `whsec_` and base64.
    """

    def __init__(self, *secrets: Secret) -> None:
        self.secrets: Final = _some(secrets)

    def check(self, delivery: Delivery, now: float) -> str:
        """See `Scheme`."""
        prefix = "svix" if "svix-id" in delivery.headers else "webhook"
        identity = _header(delivery, f"{prefix}-id")
        moment = _header(delivery, f"{prefix}-timestamp")
        given = [
            signature
            for version, _, signature in (
                part.partition(",") for part in _header(delivery, f"{prefix}-signature").split(" ")
            )
            if version == "v1"
        ]
        _in_time(moment, now)
        signed = _bytes(f"{identity}.{moment}.") + delivery.body
        keys = [_standard_key(secret) for secret in self.secrets]
        _match([base64.b64encode(_hmac(key, signed)).decode() for key in keys], given)
        return _identity(identity)


@final
class GitHub:
    """GitHub's `X-Hub-Signature-256` over the body.

    GitHub signs neither a time nor the delivery's id; a delivery is repeated under the same id,
    and then does nothing new.
    """

    def __init__(self, *secrets: Secret) -> None:
        self.secrets: Final = _some(secrets)

    def check(self, delivery: Delivery, now: float) -> str:
        """See `Scheme`."""
        prefix, _, given = _header(delivery, "x-hub-signature-256").partition("=")
        if prefix != "sha256":
            raise Refused(401, "the signature is not sha256=...")
        keys = [secret.value.encode() for secret in self.secrets]
        _match([_hmac(key, delivery.body).hex() for key in keys], [given])
        return _identity(_header(delivery, "x-github-delivery"))


@final
class Stripe:
    """Stripe's `Stripe-Signature: t=...,v1=...` over `t.body`; the id is that of the event."""

    def __init__(self, *secrets: Secret) -> None:
        self.secrets: Final = _some(secrets)

    def check(self, delivery: Delivery, now: float) -> str:
        """See `Scheme`."""
        parts = [
            part.strip().partition("=") for part in _header(delivery, "stripe-signature").split(",")
        ]
        moments = [value for name, _, value in parts if name == "t"]
        if len(moments) != 1:
            raise Refused(401, "the signature has no time, or several")
        _in_time(moments[0], now)
        signed = f"{moments[0]}.".encode() + delivery.body
        keys = [secret.value.encode() for secret in self.secrets]
        _match(
            [_hmac(key, signed).hex() for key in keys],
            [value for name, _, value in parts if name == "v1"],
        )
        return _field_of_json(delivery, "id")


@final
class Slack:
    """Slack's `X-Slack-Signature: v0=...` over `v0:time:body`, Events API, commands, buttons."""

    def __init__(self, *secrets: Secret) -> None:
        self.secrets: Final = _some(secrets)

    def check(self, delivery: Delivery, now: float) -> str:
        """See `Scheme`."""
        moment = _header(delivery, "x-slack-request-timestamp")
        version, _, given = _header(delivery, "x-slack-signature").partition("=")
        if version != "v0":
            raise Refused(401, "the signature is not v0=...")
        _in_time(moment, now)
        signed = f"v0:{moment}:".encode() + delivery.body
        keys = [secret.value.encode() for secret in self.secrets]
        _match([_hmac(key, signed).hex() for key in keys], [given])
        # Only the Events API names its deliveries; elsewhere time and body are what there is.
        return _field_of_json(delivery, "event_id") or sha256(signed).hexdigest()


@final
class Bearer:
    """`Authorization: Bearer TOKEN`; a sender that repeats says so by `Idempotency-Key`."""

    def __init__(self, *secrets: Secret) -> None:
        self.secrets: Final = _some(secrets)

    def check(self, delivery: Delivery, now: float) -> str:
        """See `Scheme`."""
        kind, _, given = _header(delivery, "authorization").partition(" ")
        if kind.lower() != "bearer":
            raise Refused(401, "the authorization is not Bearer")
        _match([secret.value for secret in self.secrets], [given.strip(" ")])
        return _identity(delivery.headers.get("idempotency-key", ""))


@final
class Basic:
    """`Authorization: Basic ...` of a user whose password is a secret."""

    def __init__(self, user: str, *passwords: Secret) -> None:
        if ":" in user:
            raise ValueError("a user of Basic authorization has no `:` in the name")
        self.user: Final = user
        self.secrets: Final = _some(passwords)

    def check(self, delivery: Delivery, now: float) -> str:
        """See `Scheme`."""
        kind, _, given = _header(delivery, "authorization").partition(" ")
        if kind.lower() != "basic":
            raise Refused(401, "the authorization is not Basic")
        pairs = [f"{self.user}:{secret.value}".encode() for secret in self.secrets]
        _match([base64.b64encode(pair).decode() for pair in pairs], [given.strip(" ")])
        return _identity(delivery.headers.get("idempotency-key", ""))


def _some(given: tuple[object, ...]) -> tuple[Secret, ...]:
    secrets = tuple(item for item in given if isinstance(item, Secret))
    if len(secrets) < len(given):
        raise TypeError('write secret("NAME"): a secret itself is never part of the source')
    if not secrets:
        raise TypeError('a scheme needs a secret: write GitHub(secret("GITHUB_WEBHOOK_SECRET"))')
    return secrets


def _header(delivery: Delivery, name: str) -> str:
    value = delivery.headers.get(name, "")
    if not value:
        raise Refused(401, f"the header {name} is missing")
    return value


def _in_time(moment: str, now: float) -> None:
    if not re.fullmatch(r"[0-9]{1,12}", moment, flags=re.ASCII):
        raise Refused(401, "the signed time is no number of seconds")
    if abs(now - int(moment)) > TOLERANCE:
        raise Refused(401, f"the signed time is more than {TOLERANCE} seconds from now")


def _bytes(text: str) -> bytes:
    """UTF-8, also of what a server has decoded from bytes that are none."""
    return text.encode("utf-8", "surrogatepass")


def _hmac(key: bytes, signed: bytes) -> bytes:
    if not key:
        raise Refused(500, "the secret of this webhook is empty")
    return hmac.digest(key, signed, "sha256")


def _match(expected: list[str], given: list[str]) -> None:
    """Refused unless one of `given` is one of `expected`; every pair is compared."""
    good = False
    for right in expected:
        if not right:
            raise Refused(500, "the secret of this webhook is empty")
        for one in given:
            good |= hmac.compare_digest(_bytes(right), _bytes(one))
    if not good:
        raise Refused(401, "the signature does not match")


def _standard_key(secret: Secret) -> bytes:
    try:
        return base64.b64decode(secret.value.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise Refused(500, f"the secret {secret.name} is not whsec_ and base64") from None


def _identity(text: str) -> str:
    if len(text) > LONGEST_ID:
        raise Refused(400, f"the delivery's id is longer than {LONGEST_ID} characters")
    return text


def _field_of_json(delivery: Delivery, name: str) -> str:
    """A text field of a body that is a JSON object; "" where there is none."""
    try:
        body = delivery.json
    except Refused:
        return ""
    value = body.get(name) if isinstance(body, dict) else None
    return _identity(value) if isinstance(value, str) else ""
