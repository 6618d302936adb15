"""Sites of the flow `examples.agent:agent`, made by perdure. Regenerate it, do not edit it."""


from examples.agent import TOOLS
from examples.agent import think
from perdure import sites


def start(s):
    # examples/agent.py:43
    question = s['question']
    messages = [{'role': 'user', 'content': question}]
    spent = 0
    s['messages'] = messages
    s['spent'] = spent


def while_spent_budget(s):
    # examples/agent.py:45
    budget = s['budget']
    spent = s['spent']
    return "then" if spent <= budget else "else"


def think_operands(s):
    # examples/agent.py:46
    messages = s['messages']
    return sites.call(think, messages)


def after_think(s):
    # examples/agent.py:47
    spent = s['spent']
    turn = s['turn']
    spent += turn.tokens
    s['spent'] = spent


def if_not_turn_tool(s):
    # examples/agent.py:48
    turn = s['turn']
    return "then" if not turn.tool else "else"


def return_2(s):
    # examples/agent.py:49
    turn = s['turn']
    return turn.answer


def tools_operands(s):
    # examples/agent.py:51
    turn = s['turn']
    return sites.call(TOOLS[turn.tool], **turn.args)


def raise_again(s):
    # examples/agent.py:50
    raise s['error 1']


def which_except_keyerror_or_typeerror(s):
    # examples/agent.py:52
    try:
        raise s['error 1']
    except (KeyError, TypeError):
        return 'except KeyError or TypeError'
    except BaseException:
        return 'no clause'


def handle_keyerror_or_typeerror(s):
    # examples/agent.py:52
    error = s['error 1']
    result = f"{type(error).__name__}: {error}"
    s['result'] = result


def after_tools(s):
    # examples/agent.py:54
    messages = s['messages']
    result = s['result']
    messages.append({'role': 'tool', 'content': result})


def return_2_2(s):
    # examples/agent.py:55
    budget = s['budget']
    spent = s['spent']
    return f"stopped: {spent} tokens spent, {budget} allowed"


FLOW = sites.Flow(
    'examples.agent:agent',
    '4b67a9ced72934662bfa27a384efa3ae217231d762084eec7e95199a1105a27c',
    {
        '': sites.Scope(
            'start',
            ('question', 'budget'),
            (),
            frozenset({'TOOLS', 'think'}),
            {
                'start': sites.Block(start, 'while spent <= budget'),
                'while spent <= budget': sites.Decision(while_spent_budget, {'then': 'think', 'else': 'return.2'}, '', 'while spent <= budget', {'then': 'then', 'else': 'else'}),
                'think': sites.Operation(think_operands, 'run', 'think', 'turn', 'after think'),
                'after think': sites.Block(after_think, 'if not turn.tool'),
                'if not turn.tool': sites.Decision(if_not_turn_tool, {'then': 'return', 'else': 'TOOLS'}, '', 'if not turn.tool', {'then': 'then', 'else': 'else'}),
                'return': sites.Return(return_2),
                'TOOLS': sites.Operation(tools_operands, 'run', 'TOOLS', 'result', 'after TOOLS', 'except KeyError or TypeError'),
                'except KeyError or TypeError': sites.Catch('error 1', 'which except KeyError or TypeError'),
                'raise again': sites.Raise(raise_again),
                'which except KeyError or TypeError': sites.Decision(which_except_keyerror_or_typeerror, {'except KeyError or TypeError': 'handle KeyError or TypeError', 'no clause': 'raise again'}, ''),
                'handle KeyError or TypeError': sites.Block(handle_keyerror_or_typeerror, 'after TOOLS'),
                'after TOOLS': sites.Block(after_tools, 'while spent <= budget'),
                'return.2': sites.Return(return_2_2),
            },
            {
                'think': 'think',
                'TOOLS': 'TOOLS',
            },
            {
                'start': ('budget', 'question'),
                'while spent <= budget': ('budget', 'messages', 'spent'),
                'think': ('budget', 'messages', 'spent'),
                'after think': ('budget', 'messages', 'spent', 'turn'),
                'if not turn.tool': ('budget', 'messages', 'spent', 'turn'),
                'return': ('turn',),
                'TOOLS': ('budget', 'messages', 'spent', 'turn'),
                'except KeyError or TypeError': ('budget', 'error 1', 'messages', 'spent'),
                'raise again': ('error 1',),
                'which except KeyError or TypeError': ('budget', 'error 1', 'messages', 'spent'),
                'handle KeyError or TypeError': ('budget', 'error 1', 'messages', 'spent'),
                'after TOOLS': ('budget', 'messages', 'result', 'spent'),
                'return.2': ('budget', 'spent'),
            },
        ),
    },
)
