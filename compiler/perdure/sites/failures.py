"""How a site fails its Task: by an exception whose class name Step Functions matches.

Lambda reports `errorType` and `errorMessage` of what a handler raises: `etype.__name__` and
`str(value)` (aws-lambda-python-runtime-interface-client, awslambdaric/bootstrap.py,
handle_event_request). The text is JSON that the catcher takes apart: {"next": state} or
{"error": encoded}.
"""

import json
from collections.abc import Mapping

from perdure.codec import Json

__all__ = ["SiteFailure", "failure", "told"]

LONGEST_NAME = 256
"""Characters of an error name (botocore service model stepfunctions, SensitiveError)."""


class SiteFailure(Exception):  # noqa: N818  (its subclasses carry the names)
    """What a site raises. `error_type` is how engines that run the handler in process name it."""

    error_type = "perdure.SiteFailure"


def failure(name: str, says: Mapping[str, Json]) -> SiteFailure:
    """An exception of a class called `name`, saying `says` as JSON."""
    name = name[:LONGEST_NAME]
    made = type(name, (SiteFailure,), {"error_type": name})
    exception: SiteFailure = made(json.dumps(says, ensure_ascii=False, separators=(",", ":")))
    return exception


def told(cause: str) -> Mapping[str, Json]:
    """What a failed site said, out of the cause that Step Functions keeps; {} if it is not ours."""
    try:
        said: Json = json.loads(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return {}
    return said if isinstance(said, dict) else {}
