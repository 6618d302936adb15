"""How often explanations say exactly what engines count: `python -m tests.explain.figures`."""

from collections import Counter

from perdure.explain.taken import predict
from tests.conformance.engines import CASES, gap, outcome
from tests.explain.counted import SETTLED, counts_of, explanation, was_cut

ENGINES = ("aws/moto", "gcp/workflows", "azure/memory")


def main() -> None:
    """A line for each engine, unit and verdict."""
    total: Counter[tuple[str, str, str]] = Counter()
    for engine in ENGINES:
        for case in CASES.values():
            if gap(case, engine) is None:
                _add(total, engine, case.id)
    for (engine, unit, verdict), count in sorted(total.items()):
        print(f"{engine:<14} {unit:<12} {verdict:<15} {count}")


def _add(total: "Counter[tuple[str, str, str]]", engine: str, case_id: str) -> None:
    target = engine.partition("/")[0]
    trace = outcome(case_id, "reference").whole_trace
    for unit, counted in counts_of(engine, outcome(case_id, engine)).items():
        if unit != "transitions" and (was_cut(trace) or (case_id, target) in SETTLED):
            total[engine, unit, "left out"] += 1
            continue
        entry = explanation(CASES[case_id].flow, target).flows[0]
        found = predict(entry.graph, entry.run, trace, unit)
        verdict = "exact" if found == frozenset({counted}) else "one of several"
        total[engine, unit, verdict if counted in found else "WRONG"] += 1


if __name__ == "__main__":
    main()
