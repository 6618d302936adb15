"""What perdure copies into other people's projects, as package data.

`read("starter/README.md.template")` is the content of one file, by its path with `/`.
"""

from importlib.resources import files

__all__ = ["read"]


def read(path: str) -> str:
    """The text of one template; FileNotFoundError names what is missing."""
    return files(__name__).joinpath(path).read_text("utf-8")
