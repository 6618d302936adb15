"""The tables of docs/probe.md: every question, and what is assumed."""

import json
from collections.abc import Iterator

from perdure.backend import PROBERS, load_prober
from tests.docs.pages import ROOT, kept


def test_every_question_is_on_the_page(update: bool) -> None:
    kept(ROOT / "docs/probe.md", "\n".join(_tables()) + "\n", update)


def _tables() -> Iterator[str]:
    for target in PROBERS:
        prober = load_prober(target)
        assert prober is not None
        assumed = prober.assumed()
        yield f"## {target}\n"
        yield "| question | asks | assumed |"
        yield "|---|---|---|"
        for name, asks in prober.questions.items():
            text = json.dumps(assumed[name], ensure_ascii=False) if name in assumed else ""
            told = f"`{text}`" if text else "nothing"
            yield f"| {name} | {_cell(asks)} | {_cell(told)} |"
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
