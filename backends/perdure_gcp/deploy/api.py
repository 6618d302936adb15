"""Requests to Google's APIs: tried again, waited for, refused in words that say what to do.

Comes in: method, URL, JSON. Goes out: the answer's JSON. A status that says that other rights,
another sign-in or another time is needed is CloudRefused, whoever asked; what else an API refuses
is ApiError, for who asked to read.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol, final
from urllib.parse import quote

import requests
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError

from perdure.codec import Json
from perdure.deployment import CloudRefused, DeployError, Say

__all__ = ["Api", "ApiError", "Session", "SwitchedOff", "told_sign_in"]

ATTEMPTS: Final = 5
SECONDS: Final = 60
"""Of one request."""
PATIENCE: Final = 900
"""Seconds for an operation."""
FIRST: Final = ("cloudresourcemanager", "serviceusage")
"""APIs that switch on the others, or say of the project what is needed for that."""
SIGN_IN: Final = (
    "sign in (`gcloud auth application-default login`), or name a key or a federation in"
    " GOOGLE_APPLICATION_CREDENTIALS"
)


class Session(Protocol):
    """The part of google-auth's AuthorizedSession that is used here; it has no types."""

    def request(
        self,
        method: str,
        url: str,
        *,
        data: bytes | None,
        headers: Mapping[str, str],
        timeout: float,
    ) -> requests.Response:
        """One request, with a token."""
        ...


@final
class SwitchedOff(CloudRefused):
    """The project does not use this API: nothing of it is there."""


@final
class ApiError(DeployError):
    """What an API refuses: its status, as HTTP and in a word, and what it says."""

    def __init__(self, status: int, word: str, message: str, what: str) -> None:
        super().__init__(f"Google refuses {what}: {message} ({status} {word})")
        self.status = status
        self.word = word
        self.message = message


@final
class Api:
    """Requests under one identity."""

    def __init__(self, session: Session, say: Say) -> None:
        self._session = session
        self.say = say

    def send(self, method: str, url: str, body: Json = None, /) -> tuple[int, Json]:
        """One request: `perdure_gcp.firestore.Send`."""
        data = None if body is None else json.dumps(body).encode()
        return self._sent(method, url, data, "application/json")

    def ask(self, method: str, url: str, body: Json = None) -> dict[str, Json]:
        """One request whose answer is an object; ApiError for any other."""
        status, answer = self.send(method, url, body)
        return self._object(status, answer, method, url)

    def find(self, url: str) -> dict[str, Json] | None:
        """What lies there; None where nothing does."""
        status, answer = self.send("GET", url)
        return None if status == 404 else self._object(status, answer, "GET", url)

    def pages(self, url: str, member: str) -> list[Mapping[str, Json]]:
        """The rows of a list, page after page."""
        found: list[Mapping[str, Json]] = []
        token = ""
        while True:
            joint = "&" if "?" in url else "?"
            page = self.ask("GET", f"{url}{joint}pageToken={quote(token)}" if token else url)
            rows = page.get(member)
            found += (
                [one for one in rows if isinstance(one, dict)] if isinstance(rows, list) else []
            )
            token = str(page.get("nextPageToken") or "")
            if not token:
                return found

    def upload(self, url: str, content: bytes) -> dict[str, Json]:
        """Bytes, as the body of a request."""
        status, answer = self._sent("POST", url, content, "application/octet-stream")
        return self._object(status, answer, "POST", url)

    def finish(self, operation: Mapping[str, Json], base: str, what: str) -> None:
        """Wait for an operation; what it failed with is a DeployError."""
        said, pause, waited = operation, 0.5, 0.0
        while not said.get("done"):
            if waited > PATIENCE:
                raise DeployError(f"{what} goes on for too long: look at it in the console")
            time.sleep(pause)
            waited += pause
            pause = min(5.0, pause * 1.5)
            if waited > 3:
                self.say(f"{what}: under way for {waited:.0f} s")
            said = self.ask("GET", f"{base}{operation['name']}")
        error = said.get("error")
        if isinstance(error, dict):
            raise DeployError(f"{what}: Google says: {error.get('message')}")

    def until(self, over: Callable[[], bool], what: str) -> None:
        """Look until something is so."""
        waited = 0
        while not over():
            if waited > PATIENCE:
                raise DeployError(f"{what} goes on for too long: look at it in the console")
            time.sleep(2)
            waited += 2

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    # --- inside ---------------------------------------------------------------------------------

    def _sent(self, method: str, url: str, data: bytes | None, kind: str) -> tuple[int, Json]:
        problem: Exception | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(0.3 * 2**attempt)
            try:
                answer = self._session.request(
                    method, url, data=data, headers={"Content-Type": kind}, timeout=SECONDS
                )
            except (DefaultCredentialsError, RefreshError) as error:
                raise told_sign_in(error) from None
            except (TransportError, requests.ConnectionError, requests.Timeout) as error:
                problem = error
                continue
            if answer.status_code in (429, 500, 502, 503, 504):
                problem = None
                said = _json(answer.content), answer.status_code
                if attempt < ATTEMPTS - 1:
                    continue
                if answer.status_code == 429:
                    raise CloudRefused(
                        f"Google takes no more requests just now ({_short(url)}:"
                        f" {_message(said[0])}), after several tries: the same command later goes"
                        " on from here"
                    )
            body = _json(answer.content)
            _refuse(answer.status_code, body, method, url)
            return answer.status_code, body
        raise CloudRefused(f"Google cannot be reached ({_short(url)}): {problem}")

    def _object(self, status: int, answer: Json, method: str, url: str) -> dict[str, Json]:
        if status >= 400 or not isinstance(answer, dict):
            word, message = _word(answer), _message(answer)
            raise ApiError(status, word, message, f"{method} {_short(url)}")
        return answer


def told_sign_in(error: Exception) -> CloudRefused:
    """What is wrong with the credentials."""
    if isinstance(error, DefaultCredentialsError):
        return CloudRefused(f"no Google credentials were found: {SIGN_IN}")
    return CloudRefused(f"the Google credentials cannot be renewed ({error}): {SIGN_IN}")


def _refuse(status: int, body: Json, method: str, url: str) -> None:
    """CloudRefused where rights or a sign-in are what is missing."""
    message = _message(body)
    if status == 401:
        raise CloudRefused(f"Google does not know these credentials ({message}): {SIGN_IN}")
    if status != 403:
        return
    details = _details(body)
    for one in details:
        if one.get("reason") == "SERVICE_DISABLED":
            service = str(_about(one).get("service") or "an API")
            if service.partition(".")[0] in FIRST:
                raise SwitchedOff(
                    f"{service} is not switched on in this project, and without it nothing else"
                    f" can be: do it at {_about(one).get('activationUrl') or 'the console'}"
                )
            raise SwitchedOff(
                f"{service} is not switched on in this project: `perdure deploy` does that, for who"
                " may (roles/serviceusage.serviceUsageAdmin)"
            )
    named = [str(one["permission"]) for one in map(_about, details) if "permission" in one]
    which = f" {named[0]}" if named else ""
    raise CloudRefused(
        f"Google refuses{which or ' ' + method} on {_short(url)}: who these credentials are of may"
        f" not. A role of theirs has to grant it; the same command then goes on from here; Google"
        f" says: {message}"
    )


def _about(detail: Mapping[str, Json]) -> Mapping[str, Json]:
    about = detail.get("metadata")
    return about if isinstance(about, dict) else {}


def _details(body: Json) -> list[Mapping[str, Json]]:
    error = body.get("error") if isinstance(body, dict) else None
    found = error.get("details") if isinstance(error, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _message(body: Json) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("message")) if isinstance(error, dict) else str(body)


def _word(body: Json) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("status", "")) if isinstance(error, dict) else ""


def _short(url: str) -> str:
    """An address without host and parameters."""
    return url.partition("://")[2].partition("/")[2].partition("?")[0]


def _json(content: bytes) -> Json:
    try:
        read: Json = json.loads(content) if content else {}
    except ValueError:
        return None
    return read
