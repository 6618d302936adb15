"""CloudFormation templates: plain data, deployed as it is by `perdure deploy` or by hand.

flow.py     template.json   one flow: machine, functions, their versions, roles, logs, alarms
store.py    store.json      one environment: run store, bucket
door.py     what reaches a flow from outside
alarms.py   what tells somebody
roles.py    who may do what, derived from the states and the sites that were emitted
tasks.py    what the states of a definition call
"""
