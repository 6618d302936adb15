"""perdure: write a durable agent as a plain `async def`, run it on every cloud's orchestrator.

Importing this package loads nothing: each public name is fetched on first use.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.errors import Fatal as Fatal
    from perdure.errors import InvalidInput as InvalidInput
    from perdure.errors import LimitExceeded as LimitExceeded
    from perdure.errors import RetryAfter as RetryAfter
    from perdure.errors import RunConflict as RunConflict
    from perdure.errors import StepLost as StepLost
    from perdure.errors import Unanswered as Unanswered
    from perdure.language import Flow as Flow
    from perdure.language import Retry as Retry
    from perdure.language import Step as Step
    from perdure.language import flow as flow
    from perdure.language import step as step
    from perdure.operations import Handle as Handle
    from perdure.operations import event as event
    from perdure.operations import gather as gather
    from perdure.operations import progress as progress
    from perdure.operations import quorum as quorum
    from perdure.operations import race as race
    from perdure.operations import reply as reply
    from perdure.operations import sleep as sleep
    from perdure.operations import this_run as this_run
    from perdure.operations import this_step as this_step
    from perdure.secrets import MissingSecret as MissingSecret
    from perdure.secrets import Secret as Secret
    from perdure.secrets import secret as secret
    from perdure.triggers import Cron as Cron
    from perdure.triggers import Webhook as Webhook
    from perdure.webhooks.delivery import Delivery as Delivery
    from perdure.webhooks.links import approval_link as approval_link
    from perdure.webhooks.schemes import Basic as Basic
    from perdure.webhooks.schemes import Bearer as Bearer
    from perdure.webhooks.schemes import GitHub as GitHub
    from perdure.webhooks.schemes import Slack as Slack
    from perdure.webhooks.schemes import StandardWebhooks as StandardWebhooks
    from perdure.webhooks.schemes import Stripe as Stripe

_HOMES = {
    "perdure.errors": (
        "Fatal InvalidInput LimitExceeded RetryAfter RunConflict StepLost Unanswered"
    ),
    "perdure.language": "Flow Retry Step flow step",
    "perdure.operations": (
        "Handle event gather progress quorum race reply sleep this_run this_step"
    ),
    "perdure.secrets": "MissingSecret Secret secret",
    "perdure.triggers": "Cron Webhook",
    "perdure.webhooks.delivery": "Delivery",
    "perdure.webhooks.links": "approval_link",
    "perdure.webhooks.schemes": "Basic Bearer GitHub Slack StandardWebhooks Stripe",
}

__version__ = "0.1.0"
__all__ = [  # noqa: RUF022  # by subject: what people read top to bottom
    "flow",
    "step",
    "Flow",
    "Step",
    "Handle",
    "gather",
    "race",
    "quorum",
    "sleep",
    "event",
    "progress",
    "reply",
    "this_step",
    "this_run",
    "Retry",
    "RetryAfter",
    "Fatal",
    "StepLost",
    "InvalidInput",
    "RunConflict",
    "Unanswered",
    "LimitExceeded",
    "Webhook",
    "Cron",
    "Delivery",
    "StandardWebhooks",
    "GitHub",
    "Stripe",
    "Slack",
    "Bearer",
    "Basic",
    "secret",
    "Secret",
    "MissingSecret",
    "approval_link",
]


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names.split():
            from importlib import import_module

            value: object = getattr(import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'perdure' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
