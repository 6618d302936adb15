"""The run store: who a run is, what was sent to it, what it waits for, and how it ended.

`protocol` says what a form of the store must offer (a handful of conditional writes) and what is
kept; `runs`, `inbox` and `match` hold the rules, written once for every form; `records` turns the
records into JSON and back; `sqlite` is the local form.
"""
