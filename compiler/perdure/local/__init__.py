"""The local engine: runs the front end's instrumented module on an event log in one SQLite file."""
