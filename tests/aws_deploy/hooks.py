"""A project with a webhook of each scheme, an event, links and schedules, to be deployed."""

import json
from collections.abc import Mapping
from pathlib import Path

from perdure.deployment import Place, Runs
from perdure.store.runs import list_runs
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Cloud, Response
from tests.aws_deploy.projects import small
from tests.webhooks.senders import SECRETS, SENDERS, Sender

__all__ = ["HOOKS", "body_of", "counted", "deliver", "deploy_hooks", "sender", "url_of"]

HOOKS = """
from dataclasses import dataclass

from perdure import (
    Basic, Bearer, Cron, Delivery, GitHub, Slack, StandardWebhooks, Stripe, Webhook,
    approval_link, event, flow, secret, sleep, step,
)


@dataclass
class Order:
    number: int
    note: str = ""


@dataclass
class Payment:
    amount: float


def order_of(delivery: Delivery):
    body = delivery.json
    return {"order": body["order"]} if "order" in body else None


def run_of(delivery: Delivery):
    return delivery.json.get("run")


def payment_of(delivery: Delivery):
    return {"amount": delivery.json["amount"]}


@step
async def ask(order: Order, file: str) -> None:
    with open(file, "w") as out:
        out.write(approval_link("approved", True, expires="1h"))
        out.write("\\n")
        out.write(approval_link("approved", False, expires="1h"))


@flow(
    on=[
        Webhook("/standard", verify=StandardWebhooks(secret("STANDARD_SECRET")), start=order_of),
        Webhook("/github", verify=GitHub(secret("GITHUB_SECRET")), start=order_of, max_bytes=2000),
        Webhook("/stripe", verify=Stripe(secret("STRIPE_SECRET")), start=order_of),
        Webhook("/slack", verify=Slack(secret("SLACK_SECRET")), start=order_of),
        Webhook("/bearer", verify=Bearer(secret("BEARER_SECRET")), start=order_of),
        Webhook("/basic", verify=Basic("ann", secret("BASIC_SECRET")), start=order_of),
        Webhook(
            "/paid",
            verify=StandardWebhooks(secret("STANDARD_SECRET")),
            event="paid",
            run=run_of,
            payload=payment_of,
        ),
        Cron("30 2 * * *", tz="Europe/Berlin", input={"order": {"number": 0, "note": "nightly"}}),
        Cron("0 9 1 * MON", input={"order": {"number": 1, "note": "monthly or on mondays"}}),
    ]
)
async def orders(order: Order) -> str:
    if order.note.startswith("/"):
        await ask(order, order.note)
        approved = await event("approved", bool, timeout="300d")
        return f"{order.number}: {approved}"
    if order.note == "wait":
        payment = await event("paid", Payment, timeout="300d")
        return f"{order.number}: {payment.amount}"
    return order.note
"""


def deploy_hooks(folder: Path, source: str = HOOKS) -> Place:
    """Compile and deploy it, its secrets set before."""
    place = small(folder, source)
    secrets = AwsDeployer().secrets(place)
    for name in sorted(SECRETS):
        if f'"{name}"' in source:
            assert secrets.put(name, SECRETS[name])
    AwsDeployer().deploy(place, lambda line: None)
    return place


def url_of(there: Cloud, path: str = "") -> str:
    """Where the door is."""
    (api,) = there.front.apis
    return f"https://{api}.execute-api.us-east-1.amazonaws.com{path}"


def sender(name: str) -> Sender:
    """Who signs."""
    return next(one for one in SENDERS if one.name == name)


def body_of(id: str, number: int = 7, note: str = "done", **more: object) -> bytes:
    """A delivery; Stripe and Slack name it inside."""
    order = {"number": number, "note": note}
    return json.dumps({"id": id, "event_id": id, "order": order, **more}).encode()


def deliver(
    there: Cloud,
    name: str,
    body: bytes,
    id: str,
    *,
    path: str = "",
    more: Mapping[str, str] | None = None,
) -> Response:
    """A genuine delivery, as its sender sends it now."""
    headers = sender(name).headers(body, there.now.timestamp(), id)
    sent = {"content-type": "application/json", **headers, **(more or {})}
    return there.request(url_of(there, path or f"/{name}"), body, sent)


def counted(there: Cloud, runs: Runs) -> tuple[int, int]:
    """Executions and runs that there are."""
    return len(there.states.executions), len(list_runs(runs.store))
