"""The Machine IR: a flow as one flat graph per branch scope, and the states an orchestrator runs
for it.
"""
