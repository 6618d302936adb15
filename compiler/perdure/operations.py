"""The durable operations as users import them, typed; and what they mean without an engine.

In a run the front end has replaced them by `perdure.runtime.calls`. Called otherwise (a flow
under plain asyncio, code around a flow) they are asyncio's own.
"""
