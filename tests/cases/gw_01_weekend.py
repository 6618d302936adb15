"""GW-01: the day of the week decides the text."""

from perdure import flow, step


@step
async def day_of_week() -> str: ...


@flow
async def weekend() -> str:
    day = await day_of_week()
    if day == "Friday":
        return "It's Friday! Almost the weekend!"
    elif day == "Saturday" or day == "Sunday":
        return "It's the weekend!"
    else:
        return "It's the work week."
