"""Read `[tool.perdure]`: TOML text in, checked `Settings` out, every mistake at its line."""

import re
import tomllib
from collections.abc import Mapping
from typing import NamedTuple, TypeGuard

from perdure import rules
from perdure.diagnostics import Report, nearest
from perdure.offered import wrong_name, wrong_of, wrong_settings
from perdure.project import COMPILED_FOR, DEFAULTS, Environment, Group, Settings
from perdure.source import Source, Span

__all__ = ["environment_span", "read_settings", "setting_span"]

TABLE = "tool.perdure"
SETTINGS = ("name", "flows", "out", "store", "python", "pure", "env", "azure")
AZURE_SETTINGS = ("sdk",)
AZURE_SDKS = (1, 2)
AZURE_TEXTS = ("subscription", "tenant", "resource_group")
ENVIRONMENT_TEXTS = ("target", "region", "account", "project", "alarm_topic", *AZURE_TEXTS)
ENVIRONMENT_SETTINGS = (
    *ENVIRONMENT_TEXTS,
    "memory",
    "architecture",
    "log_days",
    "allow",
    "groups",
    "settings",
)
LOCAL = "local"
"""This machine, if it has no target: it takes `settings` alone."""
GROUP_SETTINGS = ("memory", "allow")
ARCHITECTURES = ("arm64", "x86_64")
PERMISSION = re.compile(
    r"[a-z0-9-]+:[A-Za-z0-9*]+ (\*|arn:[^\s]+)"  # AWS: an action on a resource
    r"|((projects|organizations)/[\w.:-]+/)?roles/[\w.]+( [^\s\"'\\]+)?",  # Google: a role, where
    re.ASCII,
)

type Table = Mapping[str, object]


class _Place(NamedTuple):
    """Where mistakes are noted: the file, the dotted table, the report."""

    source: Source
    table: str
    report: Report

    def of(self, key: str) -> Span:
        return _find_key(self.source, self.table, key)


def read_settings(source: Source, report: Report) -> Settings:
    """The settings in a pyproject.toml; what is wrong is reported and keeps its default."""
    try:
        document: Table = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        report.error(
            rules.BAD_TOML, _toml_error_span(source, str(error)), problem=_lower(str(error))
        )
        return DEFAULTS
    except RecursionError:
        report.error(rules.BAD_TOML, source.line_span(1), problem="it is nested too deeply")
        return DEFAULTS
    table = _table(_table(document.get("tool")).get("perdure"))
    name = _table(document.get("project")).get("name")
    return _settings(table, str(name or ""), _Place(source, TABLE, report))


def _settings(table: Table, name: str, place: _Place) -> Settings:
    _check_names(table, SETTINGS, place)
    return Settings(
        name=_text(table, "name", name, place),
        flows=_texts(table, "flows", place),
        out=_folder(table, "out", DEFAULTS.out, place),
        store=_folder(table, "store", DEFAULTS.store, place),
        python=_python(table, place),
        pure=frozenset(_texts(table, "pure", place)),
        environments=_environments(table, place),
        local=_local(table, place),
        azure_sdk=_azure_sdk(_table(table.get("azure")), place),
    )


def _azure_sdk(table: Table, place: _Place) -> int:
    place = place._replace(table=f"{TABLE}.azure")
    _check_names(table, AZURE_SETTINGS, place)
    sdk = table.get("sdk", DEFAULTS.azure_sdk)
    if isinstance(sdk, int) and not isinstance(sdk, bool) and sdk in AZURE_SDKS:
        return sdk
    _wrong("sdk", "1 or 2", "sdk = 2", place)
    return DEFAULTS.azure_sdk


def _check_names(table: Table, known: tuple[str, ...], place: _Place) -> None:
    for name in table:
        if name not in known:
            meant = nearest(name, known)
            place.report.error(
                rules.UNKNOWN_SETTING,
                place.of(name),
                table=place.table,
                name=name,
                suggestion=f"write `{meant}`" if meant else f"remove `{name}`",
            )


def _texts(table: Table, name: str, place: _Place) -> tuple[str, ...]:
    value = table.get(name, [])
    items: list[object] = [*value] if isinstance(value, list) else [None]
    texts = [item for item in items if isinstance(item, str) and item]
    if len(texts) != len(items):
        _wrong(name, "a list of texts", f'{name} = ["..."]', place)
        return ()
    return tuple(texts)


def _text(table: Table, name: str, default: str, place: _Place) -> str:
    value = table.get(name, default)
    if isinstance(value, str):
        return value
    _wrong(name, "a text", f'{name} = "{default or "..."}"', place)
    return default


def _folder(table: Table, name: str, default: str, place: _Place) -> str:
    value = _text(table, name, default, place)
    if not value or "\0" in value:
        _wrong(name, "a path", f'{name} = "{default}"', place)
        return default
    return value


def _python(table: Table, place: _Place) -> str | None:
    value = table.get("python")
    if "python" not in table:
        return None
    if isinstance(value, str) and re.fullmatch(r"3\.(1[2-9]|[2-9][0-9])", value, re.ASCII):
        return value
    expected = "a minor version as text, 3.12 or later"
    _wrong("python", expected, f'python = "{COMPILED_FOR}"', place)
    return DEFAULTS.python


def _environments(table: Table, place: _Place) -> Mapping[str, Environment]:
    value = table.get("env", {})
    if not _is_table(value):
        _wrong("env", "a table of tables", 'env.prod = { target = "aws" }', place)
        return {}
    found: dict[str, Environment] = {}
    for name, entry in value.items():
        if not _is_table(entry):
            _wrong("env", "a table of tables", f'env.{name} = {{ target = "aws" }}', place)
            continue
        if name != LOCAL or "target" in entry:
            found[name] = _environment(name, entry, place)
    return found


def _local(table: Table, outer: _Place) -> Mapping[str, str]:
    """What runs on this machine see."""
    entry = _table(_table(table.get("env")).get(LOCAL))
    if "target" in entry:
        return {}
    place = outer._replace(table=f"{TABLE}.env.{LOCAL}")
    _check_names(entry, ("settings",), place)
    found = _variables(entry, place)
    for wrong in wrong_settings(found):
        _wrong(wrong.name, wrong.expected, wrong.example, place)
    return found


def _variables(table: Table, place: _Place) -> Mapping[str, str]:
    value = table.get("settings", {})
    found = _table(value)
    texts = {name: text for name, text in found.items() if isinstance(text, str)}
    if not _is_table(value) or len(texts) != len(found):
        _wrong("settings", "a table of texts", 'settings = { MODEL = "..." }', place)
    return texts


def _environment(name: str, table: Table, outer: _Place) -> Environment:
    place = outer._replace(table=f"{TABLE}.env.{name}")
    _check_names(table, ENVIRONMENT_SETTINGS, place)
    if "target" not in table:
        _wrong("target", "set for every environment", 'target = "aws"', place)
    values = {key: _text(table, key, "", place) for key in ENVIRONMENT_TEXTS}
    defaults = Environment(name, "")
    found = defaults._replace(
        **values,
        memory=_number(table, "memory", defaults.memory, place),
        architecture=_architecture(table, defaults.architecture, place),
        log_days=_number(table, "log_days", defaults.log_days, place),
        allow=_permissions(table, place),
        groups=_groups(table, place),
        settings=_variables(table, place),
    )
    _check_offered(found, place)
    return found


def _check_offered(environment: Environment, place: _Place) -> None:
    """What the target would refuse is refused here."""
    named = wrong_name(environment)
    if named is not None:
        _wrong(named.name, named.expected, named.example, place)
    for wrong in wrong_of(environment):
        table = f"{place.table}.groups.{wrong.group}" if wrong.group else place.table
        _wrong(wrong.name, wrong.expected, wrong.example, place._replace(table=table))


def _groups(table: Table, outer: _Place) -> Mapping[str, Group]:
    value = table.get("groups", {})
    if not _is_table(value) or not all(_is_table(entry) for entry in value.values()):
        _wrong("groups", "a table of tables", "groups.heavy = { memory = 2048 }", outer)
        return {}
    found: dict[str, Group] = {}
    for name, entry in value.items():
        place = outer._replace(table=f"{outer.table}.groups.{name}")
        group = _table(entry)
        _check_names(group, GROUP_SETTINGS, place)
        found[name] = Group(_number(group, "memory", 0, place), _permissions(group, place))
    return found


def _permissions(table: Table, place: _Place) -> tuple[str, ...]:
    found = _texts(table, "allow", place)
    if all(PERMISSION.fullmatch(one) for one in found):
        return found
    example = 'allow = ["s3:GetObject arn:aws:s3:::bucket/*"]'
    _wrong("allow", "an action and a resource in each text", example, place)
    return ()


def _architecture(table: Table, default: str, place: _Place) -> str:
    value = _text(table, "architecture", default, place)
    if value in ARCHITECTURES:
        return value
    expected = " or ".join(f'"{one}"' for one in ARCHITECTURES)
    _wrong("architecture", expected, f'architecture = "{default}"', place)
    return default


def _number(table: Table, name: str, default: int, place: _Place) -> int:
    value = table.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    _wrong(name, "a whole number", f"{name} = {default or 1024}", place)
    return default


def _wrong(name: str, expected: str, example: str, place: _Place) -> None:
    place.report.error(
        rules.BAD_SETTING, place.of(name), name=name, expected=expected, example=example
    )


def _table(value: object) -> Table:
    return value if _is_table(value) else {}


def _is_table(value: object) -> TypeGuard[Table]:
    """Whether a TOML value is a table; the keys of a parsed table are always text."""
    return isinstance(value, dict)


def setting_span(source: Source, name: str) -> Span:
    """Where a setting of `[tool.perdure]` is written."""
    return _find_key(source, TABLE, name)


def environment_span(source: Source, environment: str, name: str) -> Span:
    """Where a setting of `[tool.perdure.env.ENVIRONMENT]` is written."""
    return _find_key(source, f"{TABLE}.env.{environment}", name)


def _find_key(source: Source, table: str, key: str) -> Span:
    """Where a key is written; its table's header, or the first line, if it is written in a way
    that a line search does not find (`tomllib` keeps no positions)."""
    headers = {table: "", TABLE: table.removeprefix(TABLE).lstrip("."), "tool": table[5:]}
    best, prefix = source.line_span(1), None
    for number, text in enumerate(source.lines, 1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", text)
        if header:
            name = re.sub(r"[\s\"']", "", header[1])
            prefix = headers.get(name)
            if name == table:
                best = source.line_span(number)
            if name == f"{table}.{key}":
                return source.line_span(number)
            continue
        if prefix is None:
            continue
        dotted = [*filter(None, prefix.split(".")), key]
        spaced = r"\s*\.\s*".join(rf"[\"']?{re.escape(part)}[\"']?" for part in dotted)
        found = re.match(rf"\s*({spaced})\s*[=.]", text)
        if found:
            return Span(source.path, number, found.start(1), number, found.end(1))
    return best


def _toml_error_span(source: Source, problem: str) -> Span:
    found = re.search(r"at line (\d+), column (\d+)", problem)
    if not found:
        return source.line_span(max(len(source.lines) - 1, 1))
    line, column = int(found[1]), int(found[2]) - 1
    return Span(source.path, line, column, line, column + 1)


def _lower(problem: str) -> str:
    problem = re.sub(r"\s*\(at (line \d+, column \d+|end of document)\)", "", problem)
    return problem[:1].lower() + problem[1:]
