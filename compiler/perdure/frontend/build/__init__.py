"""The builder of the Flow IR: `build(analysis) -> Program`.

`program` puts functions together; `statements`, `assignments`, `contexts`, `matches` take
statements apart, `expressions` and `comprehensions` expressions, `operations` and `forks` what is
awaited. They call each other as the language nests; `lowering` holds the state of one function,
`scan` tells where its operations are.
"""

from perdure.frontend.build.program import build

__all__ = ["build"]
