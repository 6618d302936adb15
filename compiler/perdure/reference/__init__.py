"""The executable specification: instrumented modules under CPython's asyncio, in virtual time."""
