"""One call to a language model for all examples.

Scripted by default: the same question gets the same answer, with no key and no network.
`PERDURE_EXAMPLES_MODEL=gpt-5-mini` (any name of an OpenAI-compatible service) asks the real one at
`OPENAI_BASE_URL` with `OPENAI_API_KEY`.
"""

import asyncio
import json
import os
import urllib.request


async def ask(task: str, text: str) -> str:
    """The model's answer to `task` (the instruction) about `text`."""
    model = os.environ.get("PERDURE_EXAMPLES_MODEL")
    if model is None:
        await asyncio.sleep(float(os.environ.get("PERDURE_EXAMPLES_DELAY", "0")))
        return _scripted(task, text)
    return await asyncio.to_thread(_complete, model, task, text)


def _complete(model: str, task: str, text: str) -> str:
    messages = [{"role": "system", "content": task}, {"role": "user", "content": text}]
    body = json.dumps({"model": model, "messages": messages}).encode()
    key = os.environ["OPENAI_API_KEY"]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    base = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
    request = urllib.request.Request(f"{base}/chat/completions", body, headers)
    with urllib.request.urlopen(request, timeout=120) as response:
        return str(json.load(response)["choices"][0]["message"]["content"])


def _scripted(task: str, text: str) -> str:
    """An answer of the right shape, made from the question itself."""
    verb = task.split(maxsplit=1)[0].lower()
    match verb:
        case "classify":
            words = text.lower()
            if "buy now" in words:
                return "spam"
            return "bug" if "crash" in words or "error" in words else "question"
        case "plan":
            return "\n".join(f"{text}: {part}" for part in ("history", "present", "outlook"))
        case "judge":
            return "good" if text.count("[") >= 3 else "cite every source"
        case "next":
            return _next_turn(json.loads(text))
        case _:
            return f"{verb}: {text}"


def _next_turn(messages: list[dict[str, str]]) -> str:
    """Look the weather up, then add, then answer: a turn as JSON, `tool` or `answer`."""
    results = [m["content"] for m in messages if m["role"] == "tool"]
    if not results:
        return json.dumps({"tool": "weather", "args": {"city": "Oslo"}})
    if len(results) == 1:
        return json.dumps({"tool": "add", "args": {"a": 19, "b": 23}})
    return json.dumps({"answer": "; ".join(results)})
