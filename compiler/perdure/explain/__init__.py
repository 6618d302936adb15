"""What a flow does on a target, line by line, and what its ways cost: `perdure explain`.

machines --(a target's `Meter`)--> `graph` --> `rows` (paths, turns, branches, retries)
                                          \\-> `predict` (what a run that went so has cost)
machines --> `notes` (where each line runs, and why)
"""
