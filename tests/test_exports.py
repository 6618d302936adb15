"""The names that users import: each is a promise, a change of the list is a release note."""

import perdure

PUBLIC = (
    "Fatal Flow Handle InvalidInput LimitExceeded Retry RetryAfter RunConflict Step StepLost "
    "Unanswered event flow gather progress quorum race reply sleep step this_run this_step "
    "Basic Bearer Cron Delivery GitHub MissingSecret Secret Slack StandardWebhooks Stripe Webhook "
    "approval_link secret"
)


def test_the_public_names_are_these() -> None:
    assert sorted(perdure.__all__) == sorted(PUBLIC.split())


def test_every_public_name_exists_and_has_a_docstring() -> None:
    for name in perdure.__all__:
        assert getattr(perdure, name).__doc__, name
