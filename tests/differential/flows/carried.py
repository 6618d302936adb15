"""Values of which only run time knows that they have no codec, where operations have to carry them."""

from tests.differential.harness import Program

MADE = 'MADE = {"object": object, "list": list, "items": {1: 2}.items}\n@flow\nasync def main(kind: str = "object") -> Any:\n'


def _made(name: str, body: str) -> Program:
    return Program(f"carried_{name}", MADE + "".join(f"    {line}\n" for line in body.split("\n")))


PROGRAMS = (
    _made("over_two", "x = MADE[kind]()\nawait a(1)\nawait a(2)\nreturn type(x).__name__"),
    _made("over_one", "x = MADE[kind]()\nawait a(1)\nreturn type(x).__name__"),
    _made(
        "over_a_sleep",
        "try:\n    x = MADE[kind]()\n    await sleep(1)\nexcept TypeError as e:\n    return str(e)\nreturn type(x).__name__",
    ),
    _made(
        "caught_where_it_is_made",
        "out = []\ntry:\n    x = MADE[kind]()\n    out.append(await a(1))\nexcept TypeError as e:\n    out.append(str(e))\n    x = None\nout.append(await a(2))\nreturn out, x",
    ),
    _made("in_a_list", "out = [1]\nout.append(MADE[kind]())\nawait a(1)\nreturn len(out)"),
    _made("in_a_dict", "out = {}\nout['k'] = MADE[kind]()\nawait a(1)\nreturn len(out)"),
    _made(
        "in_a_comprehension", "xs = [MADE[k]() for k in ['list', kind]]\nawait a(1)\nreturn len(xs)"
    ),
    _made("an_operand", "return (MADE[kind](), await a(1), await a(2))[1:]"),
    _made(
        "an_operand_used_up", "return f'{type(MADE[kind]()).__name__} {await a(1)} {await a(2)}'"
    ),
    _made(
        "by_a_name",
        "x = MADE[kind]()\ny = x\nx = None\nawait a(1)\nawait a(2)\nreturn type(y).__name__, x",
    ),
    _made("dead_after", "x = MADE[kind]()\nn = type(x).__name__\nawait a(1)\nawait a(2)\nreturn n"),
    _made(
        "data",
        "x = MADE['list']()\nx.append(await a(1))\nawait sleep(1)\nx.append(await a([2]))\nreturn x",
    ),
    _made("a_view", "x = MADE['items']()\nn = len(x)\nawait a(n)\nreturn list(x)"),
    _made(
        "in_a_loop",
        "out = []\nfor k in ['list', kind, 'list']:\n    try:\n        x = MADE[k]()\n        await a(1)\n        out.append(x)\n    except TypeError:\n        out.append('no')\nreturn out",
    ),
    _made(
        "for_a_branch",
        "x = MADE[kind]()\nasync def one(n: int) -> str:\n    await a(n)\n    return type(x).__name__\nreturn await gather(one(1), one(2))",
    ),
    _made(
        "before_a_decision",
        "await sleep(1)\nx = MADE[kind]()\nfor i in range(2):\n    if type(x).__name__ == 'str':\n        await a(i)\nreturn type(x).__name__",
    ),
    _made(
        "of_a_function",
        "def make(k: str) -> Any:\n    return MADE[k]()\nx = make(kind)\nawait a(1)\nawait a(2)\nreturn type(x).__name__",
    ),
    _made(
        "of_a_helper",
        "async def make(k: str) -> Any:\n    await a(k)\n    return MADE[k]()\nx = await make(kind)\nawait a(1)\nawait a(2)\nreturn type(x).__name__",
    ),
    _made("of_an_attribute", "x = getattr(MADE, 'items')\nawait a(1)\nawait a(2)\nreturn len(x())"),
    _made(
        "coroutines",
        "fs = [a(1), a(2)]\nfs.append(a(3))\nxs = []\nwhile fs:\n    xs.append(await fs.pop())\nreturn xs",
    ),
    _made("in_place", "out = [1]\nout += [MADE[kind]()]\nawait a(1)\nreturn len(out)"),
    _made(
        "by_walrus", "if (x := MADE[kind]()) is not None:\n    await a(1)\nreturn type(x).__name__"
    ),
)
