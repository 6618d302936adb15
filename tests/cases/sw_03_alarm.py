"""SW-03: nurse and doctor are alerted; whoever answers first takes the patient."""

from perdure import event, flow, race, step


@step
async def alert(who: str, patient: str) -> None: ...


@step
async def assign(patient: str, who: str) -> str: ...


@flow
async def alarm(patient: str) -> str:
    await alert("nurse", patient)
    await alert("doctor", patient)
    winner, note = await race(
        nurse=event("nurse_answers", str), doctor=event("doctor_answers", str)
    )
    return await assign(patient, f"{winner}: {note}")
