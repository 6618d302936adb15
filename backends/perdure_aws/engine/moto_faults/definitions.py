# pyright: reportPrivateUsage=false
# (the corrections reach into the interpreter: that is what they are for)
"""How moto reads the text of a definition."""

import json
from typing import Protocol

from moto.stepfunctions.parser.asl.parse import preprocessor

from perdure_aws.engine.patches import Patches

__all__ = ["strings_are_json"]


class _Parsed(Protocol):
    """A node of the parse tree."""

    def getText(self) -> str:  # noqa: N802  (antlr's spelling)
        """Its text."""
        ...


def strings_are_json(patches: Patches) -> None:
    """A string of the definition means what JSON says.

    moto 5.2.5: keeps the escapes of literal strings in Assign and of keys as they are written, and
    reads the others as Python literals (a surrogate pair becomes two characters).
    AWS: a definition is JSON (docs: concepts-amazon-states-language).
    """

    def text_of(parser_rule_context: _Parsed) -> str | None:
        text = parser_rule_context.getText()
        if text == "null":
            return None
        return str(json.loads(text)) if text.startswith('"') else text

    patches.replace(preprocessor, "from_string_literal", text_of)
    patches.replace(preprocessor.Preprocessor, "_inner_string_of", staticmethod(text_of))
