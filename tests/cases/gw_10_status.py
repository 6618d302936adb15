"""GW-10: an HTTP error is told by its status; anything unknown is raised again."""

from perdure import flow, step


class HttpError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


@step
async def get(url: str) -> str: ...


@flow
async def fetch(url: str) -> str:
    try:
        return await get(url)
    except Exception as error:
        if not isinstance(error, HttpError):
            return "Connection problem."
        if error.status == 404:
            return "Sorry, URL wasn't found."
        if error.status == 403:
            return "Authentication error."
        raise
