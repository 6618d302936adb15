"""What instrumented modules call, as `__perdure__`. Without a current scope all is plain Python.

Every operation is a lazy awaitable that is consumed once: it starts when it is awaited, or
when a fork or a task group that it was given to starts it as a branch.
"""
