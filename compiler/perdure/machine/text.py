"""Python text of `ast` nodes: the same bytes on every Python that the compiler runs on.

Comes in: a node. Goes out: text. `ast.unparse` does it all but f-strings, which it prints
differently from one Python to the next: they are taken out, printed here, and put back.
"""

import ast
import copy
import re

__all__ = ["expression", "statements"]

_MARK = "__fstring_{}__"
_MARKS = re.compile(r"__fstring_(\d+)__")
_ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)


def expression(node: ast.expr) -> str:
    """The text of an expression; a tuple and a walrus come in parentheses."""
    text = _unparse(node)
    bare = isinstance(node, ast.NamedExpr | ast.Lambda | ast.Yield) and not text.startswith("(")
    return f"({text})" if bare else text


def statements(code: list[ast.stmt]) -> list[str]:
    """The lines of statements."""
    return [line for statement in code for line in _unparse(statement).split("\n")]


def _unparse(node: ast.AST) -> str:
    if not any(isinstance(inner, ast.JoinedStr | ast.FunctionDef) for inner in ast.walk(node)):
        return ast.unparse(node)
    texts: list[str] = []
    changed = _Marked(texts).visit(copy.deepcopy(node))
    return _MARKS.sub(lambda found: texts[int(found[1])], ast.unparse(changed))


class _Marked(ast.NodeTransformer):
    """Puts names in place of f-strings, and their texts in a list."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.Name:  # ast's protocol
        """The name that stands for it."""
        self.texts.append(f'f"{_parts(node.values)}"')
        return self._name(node)

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:  # ast's protocol
        """A text of several lines stays on one, so that it can be indented."""
        match node.value:
            case ast.Constant(value=str(text)) if "\n" in text:
                self.texts.append(repr(text))
                node.value = self._name(node.value)
            case _:
                self.generic_visit(node)
        return node

    def _name(self, node: ast.expr) -> ast.Name:
        name = ast.Name(_MARK.format(len(self.texts) - 1), ast.Load())
        return ast.copy_location(name, node)


def _parts(values: list[ast.expr]) -> str:
    return "".join(map(_part, values))


def _part(value: ast.expr) -> str:
    match value:
        case ast.Constant(value=str(text)):
            return _escaped(text).replace("{", "{{").replace("}", "}}")
        case ast.FormattedValue(value=inner, conversion=conversion, format_spec=spec):
            text = _unparse(inner)
            if not isinstance(inner, _ATOMS):
                text = f"({text})"
            how = "" if conversion == -1 else f"!{chr(conversion)}"
            match spec:
                case None:
                    return f"{{{text}{how}}}"
                case ast.JoinedStr(values=values):
                    return f"{{{text}{how}:{_parts(values)}}}"
                case _:
                    raise AssertionError(spec)
        case _:
            raise AssertionError(ast.dump(value))


def _escaped(text: str) -> str:
    """The text between double quotes. `repr` of a text with an apostrophe alone uses those."""
    return '\\"'.join(repr(f"{piece}'")[1:-2] for piece in text.split('"'))
