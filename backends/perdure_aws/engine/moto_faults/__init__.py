"""What is corrected of moto 5.2.5's Step Functions interpreter, one function each.

Each function's docstring says what moto does and what AWS does, with its source;
tests/aws_engine/test_moto_faults.py shows for each a machine on which plain moto fails.

Three faults are avoided instead: StartExecution without a name, SendTaskFailure's lost cause and
DescribeExecution's unencoded texts are in moto's HTTP layer, which the engine does not use.
"""

from collections.abc import Callable
from typing import Final

from perdure_aws.engine.moto_faults import (
    assignments,
    attempts,
    branches,
    callbacks,
    choices,
    clock,
    definitions,
    errors,
    expressions,
    history,
    machine,
    services,
    sizes,
)
from perdure_aws.engine.patches import Patches

__all__ = ["CORRECTIONS"]

# The order matters where two wrap the same method: a later one is the outer one.
CORRECTIONS: Final[tuple[Callable[[Patches], None], ...]] = (
    errors.our_faults_are_not_the_machines,
    errors.errors_match_as_on_aws,
    errors.heartbeats_have_their_own_error,
    errors.reserved_names_are_not_guessed,
    errors.texts_are_cut,
    clock.time_is_virtual,
    clock.jitter_is_off,
    clock.waits_read_what_aws_reads,
    expressions.wire_jsonata,
    choices.rules_and_default_have_their_own_assign,
    choices.conditions_are_boolean,
    attempts.output_in_the_catch_scope,
    attempts.a_catcher_may_lead_back,
    assignments.assign_at_the_end,
    assignments.assigned_variables_are_json,
    branches.branches_are_tasks,
    branches.iterations_are_tasks,
    branches.states_errors_leave_iterations,
    branches.map_item_is_for_the_selector,
    callbacks.tokens_are_answered_once,
    callbacks.tokens_repeat,
    callbacks.a_heartbeat_sets_no_timeout,
    sizes.measure_as_aws_does,
    definitions.strings_are_json,
    machine.programs_run_in_place,
    machine.definitions_are_parsed_once,
    machine.context_is_complete,
    history.history_is_limited,
    history.failed_evaluations_are_told_once,
    history.states_are_recorded,
    services.lambdas_are_python_functions,
    services.distributed_maps_are_refused,
    services.other_services_need_moto,
    services.starting_executions_is_refused,
)
