"""The run store: who a run is, what was sent to it, what it waits for, and how it ended.

`protocol` says what a form of the store must offer (a handful of conditional writes), `records` what is
kept, `runs`, `inbox` and `match` hold the rules, written once for every form; `sqlite` is the local form.
"""
