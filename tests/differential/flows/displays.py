"""Operations in displays with `**`, and in formats of f-strings."""

from tests.differential.harness import Program

PROGRAMS = (
    Program("dict_star_op", "@flow\nasync def main() -> Any:\n    d = {'k': 1}\n    return {**d, 'x': await a(2), **{'y': await a(3)}}"),
    Program("dict_star_op2", "@flow\nasync def main() -> Any:\n    d = {'k': 1}\n    return {'x': await a(2), **(await a({'z': 1})), **d}"),
    Program("fstring_spec", "@flow\nasync def main() -> Any:\n    x = 3.14159\n    return f'{x!r:>{await a(10)}}|{x:.{await a(2)}f}'"),
    Program("dict_star_mut", "async def grow(d: Any) -> Any:\n    d['new'] = await a(1)\n    return d\n@flow\nasync def main() -> Any:\n    d: dict[str, Any] = {'k': 1}\n    r = {**d, 'x': await grow(d), **d, 'y': await inc(1)}\n    return r['k'], list(r), len(d)"),
    Program("dict_star_error", "@flow\nasync def main() -> Any:\n    d: Any = await a(3)\n    try:\n        return {**d, 'x': await a(2)}\n    except TypeError as e:\n        return str(e)"),
    Program("dict_star_nested", "@flow\nasync def main() -> Any:\n    base = {'a': 1}\n    return [{**base, 'i': i, 'r': await a({**base, 'q': await inc(i)})} for i in range(2)], {**{**base, 'z': await a(0)}, await a('key'): 1}"),
    Program("fstring_conv", "@flow\nasync def main() -> Any:\n    x = 'é'\n    return f'{x!a:>{await a(8)}}|{x!r:<{await inc(4)}}|{await a(1)!s:0{await a(3)}}'"),
)
