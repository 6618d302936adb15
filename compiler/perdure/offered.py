"""What targets take as settings of an environment, where a wrong one would only fail there.

One row for each target that is known; of others nothing is checked. An environment comes in, what
is wrong with it goes out, with what would be right.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, final

from perdure.project import Environment

__all__ = ["OFFERED", "Offered", "Wrong", "wrong_name", "wrong_of", "wrong_settings"]

VARIABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]+", re.ASCII)
RESERVED: Final = ("AWS_", "LAMBDA_", "PERDURE_")
"""What names of variables begin with that somebody else sets."""
EXAMPLE: Final = 'settings = { MODEL = "..." }'


@final
class Wrong(NamedTuple):
    """A setting that is not taken."""

    name: str
    expected: str
    example: str
    group: str = ""
    """Whose it is, where it is that of a group."""


@final
class Offered(NamedTuple):
    """What one target takes."""

    name: str
    """Of environments: a pattern."""
    memory: tuple[int, int]
    log_days: tuple[int, ...]
    alarm_topic: str
    """A pattern; its group `region` is where the topic lies."""
    variables: int
    """Bytes of all plain settings, names and values."""


OFFERED: Final[Mapping[str, Offered]] = {
    "aws": Offered(
        # Keys of a mapping (AWSCloudFormation/latest/UserGuide/mappings-section-structure.html).
        name=r"[A-Za-z0-9][A-Za-z0-9.-]{0,49}",
        # lambda/latest/dg/configuration-memory.html, 2026-11-23
        memory=(128, 10_240),
        # AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html, 2026-11-23
        log_days=(
            1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557,
            2922, 3288, 3653,
        ),
        alarm_topic=r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}",
        # Lambda takes 4 KB of variables, some of which are perdure's own
        # (lambda/latest/dg/gettingstarted-limits.html, 2026-11-23).
        variables=3_000,
    )
}  # fmt: skip


def wrong_of(environment: Environment) -> Iterator[Wrong]:
    """What the environment's target would refuse."""
    yield from wrong_settings(environment.settings)
    offered = OFFERED.get(environment.target)
    if offered is None:
        return
    yield from _wrong_memory("", environment.memory, offered)
    for name, group in environment.groups.items():
        yield from _wrong_memory(name, group.memory or environment.memory, offered)
    if environment.log_days not in offered.log_days:
        listed = ", ".join(map(str, offered.log_days))
        nearest = min(offered.log_days, key=lambda days: abs(days - environment.log_days))
        yield Wrong("log_days", f"one of {listed}", f"log_days = {nearest}")
    yield from _wrong_topic(environment, offered)
    size = sum(len(f"{name}{value}".encode()) for name, value in environment.settings.items())
    if size > offered.variables:
        expected = f"at most {offered.variables} bytes, names and values together (here {size})"
        yield Wrong("settings", expected, EXAMPLE)


def wrong_name(environment: Environment) -> Wrong | None:
    """Whether the target takes the environment's name."""
    offered = OFFERED.get(environment.target)
    if offered is None or re.fullmatch(offered.name, environment.name, re.ASCII):
        return None
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", environment.name).strip(".-")[:50] or "prod"
    expected = f"called with at most 50 letters, digits, `-` and `.` on {environment.target}"
    return Wrong(f"env.{environment.name}", expected, f"[tool.perdure.env.{plain}]")


def wrong_settings(settings: Mapping[str, str]) -> Iterator[Wrong]:
    """Names that no environment variable of a function may have."""
    for name in settings:
        reserved = next((one for one in RESERVED if name.upper().startswith(one)), None)
        if reserved is not None:
            yield Wrong("settings", f"free of `{name}`: {reserved}... is set by others", EXAMPLE)
        elif not VARIABLE.fullmatch(name):
            expected = f"a table of names like MODEL_2, and not `{name}`"
            yield Wrong("settings", expected, EXAMPLE)


def _wrong_memory(group: str, memory: int, offered: Offered) -> Iterator[Wrong]:
    least, most = offered.memory
    if not least <= memory <= most:
        expected = f"a whole number of megabytes from {least} to {most}"
        yield Wrong("memory", expected, f"memory = {min(max(memory, least), most)}", group)


def _wrong_topic(environment: Environment, offered: Offered) -> Iterator[Wrong]:
    if not environment.alarm_topic:
        return
    region, account = environment.region or "eu-central-1", environment.account or "123456789012"
    example = f'alarm_topic = "arn:aws:sns:{region}:{account}:alarms"'
    found = re.fullmatch(offered.alarm_topic, environment.alarm_topic, re.ASCII)
    if found is None:
        yield Wrong("alarm_topic", "the ARN of an SNS topic", example)
    elif environment.region and found["region"] != environment.region:
        yield Wrong("alarm_topic", f"a topic in {environment.region}, as the alarms are", example)
