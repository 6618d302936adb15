"""Sites of the flow `examples.triage:triage`, made by perdure. Regenerate it, do not edit it."""


from examples.triage import Decision
from examples.triage import classify
from examples.triage import draft
from examples.triage import label
from examples.triage import post
from perdure import sites


def classify_operands(s):
    # examples/triage.py:46
    issue = s['issue']
    return sites.call(classify, issue)


def if_kind_spam(s):
    # examples/triage.py:47
    kind = s['kind']
    return "then" if kind == 'spam' else "else"


def label_operands(s):
    # examples/triage.py:48
    issue = s['issue']
    return sites.call(label, issue, 'spam')


def return_2(s):
    # examples/triage.py:49
    return 'closed as spam'


def draft_operands(s):
    # examples/triage.py:50
    issue = s['issue']
    kind = s['kind']
    return sites.call(draft, issue, kind)


def approval_operands(s):
    # examples/triage.py:52
    return {'name': 'approval', 'type': Decision, 'timeout': '3d'}


def raise_again(s):
    # examples/triage.py:51
    raise s['error 1']


def which_except_timeouterror(s):
    # examples/triage.py:53
    try:
        raise s['error 1']
    except TimeoutError:
        return 'except TimeoutError'
    except BaseException:
        return 'no clause'


def label_2_operands(s):
    # examples/triage.py:54
    issue = s['issue']
    return sites.call(label, issue, 'needs-a-person')


def return_2_2(s):
    # examples/triage.py:55
    return 'escalated: nobody answered in three days'


def if_not_decision_approved(s):
    # examples/triage.py:56
    decision = s['decision']
    return "then" if not decision.approved else "else"


def label_3_operands(s):
    # examples/triage.py:57
    issue = s['issue']
    return sites.call(label, issue, 'rejected')


def return_3(s):
    # examples/triage.py:58
    decision = s['decision']
    return f"rejected: {decision.note}"


def post_operands(s):
    # examples/triage.py:59
    issue = s['issue']
    text = s['text']
    return sites.call(post, issue, text)


def return_4(s):
    # examples/triage.py:59
    _1 = s['_1']
    return _1


FLOW = sites.Flow(
    'examples.triage:triage',
    '71de72abc883ac5d47b5ee1c7eed913204d6c0ca20cd3ca81bcda54966236df7',
    {
        '': sites.Scope(
            'classify',
            ('issue',),
            (),
            frozenset(),
            {
                'classify': sites.Operation(classify_operands, 'run', 'classify', 'kind', 'if kind == "spam"'),
                'if kind == "spam"': sites.Decision(if_kind_spam, {'then': 'label', 'else': 'draft'}, '', 'if kind == "spam"', {'then': 'then', 'else': 'else'}),
                'label': sites.Operation(label_operands, 'run', 'label', None, 'return'),
                'return': sites.Return(return_2),
                'draft': sites.Operation(draft_operands, 'run', 'draft', 'text', 'approval'),
                'approval': sites.Operation(approval_operands, 'wait', 'approval', 'decision', 'if not decision.approved', 'except TimeoutError'),
                'except TimeoutError': sites.Catch('error 1', 'which except TimeoutError'),
                'raise again': sites.Raise(raise_again),
                'which except TimeoutError': sites.Decision(which_except_timeouterror, {'except TimeoutError': 'label.2', 'no clause': 'raise again'}, ''),
                'label.2': sites.Operation(label_2_operands, 'run', 'label.2', None, 'return.2'),
                'return.2': sites.Return(return_2_2),
                'if not decision.approved': sites.Decision(if_not_decision_approved, {'then': 'label.3', 'else': 'post'}, '', 'if not decision.approved', {'then': 'then', 'else': 'else'}),
                'label.3': sites.Operation(label_3_operands, 'run', 'label.3', None, 'return.3'),
                'return.3': sites.Return(return_3),
                'post': sites.Operation(post_operands, 'run', 'post', '_1', 'return.4'),
                'return.4': sites.Return(return_4),
            },
            {
                'classify': 'classify',
                'label': 'label',
                'draft': 'draft',
                'except TimeoutError': 'label.2',
                'which except TimeoutError': 'label.2',
                'label.2': 'label.2',
                'label.3': 'label.3',
                'post': 'post',
            },
            {
                'classify': ('issue',),
                'if kind == "spam"': ('issue', 'kind'),
                'label': ('issue',),
                'return': (),
                'draft': ('issue', 'kind'),
                'approval': ('issue', 'text'),
                'except TimeoutError': ('error 1', 'issue'),
                'raise again': ('error 1',),
                'which except TimeoutError': ('error 1', 'issue'),
                'label.2': ('issue',),
                'return.2': (),
                'if not decision.approved': ('decision', 'issue', 'text'),
                'label.3': ('decision', 'issue'),
                'return.3': ('decision',),
                'post': ('issue', 'text'),
                'return.4': ('_1',),
            },
        ),
    },
)
