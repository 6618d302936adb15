"""Sites of the flow `examples.research:research`, made by perdure. Regenerate it, do not edit it."""


from examples.research import Finding
from examples.research import Report
from examples.research import judge
from examples.research import look_up
from examples.research import plan
from examples.research import write
from perdure import sites


def plan_operands(s):
    # examples/research.py:47
    topic = s['topic']
    return sites.call(plan, topic)


def gather_operands(s):
    # examples/research.py:48
    questions = s['questions']
    return {'over': [q for q in questions], 'limit': 4, 'return_exceptions': True}


def after_gather(s):
    # examples/research.py:49
    answers = s['answers']
    questions = s['questions']
    findings = [a for a in answers if isinstance(a, Finding)]
    missing = [q for q, a in zip(questions, answers, strict=True) if isinstance(a, Exception)]
    advice = ''
    drafts = 0
    s['advice'] = advice
    s['drafts'] = drafts
    s['findings'] = findings
    s['missing'] = missing


def write_operands(s):
    # examples/research.py:54
    advice = s['advice']
    findings = s['findings']
    topic = s['topic']
    return sites.call(write, topic, findings, advice)


def after_write(s):
    # examples/research.py:55
    drafts = s['drafts']
    drafts += 1
    s['drafts'] = drafts


def judge_operands(s):
    # examples/research.py:56
    text = s['text']
    return sites.call(judge, text)


def if_advice_good_or_drafts_max_drafts(s):
    # examples/research.py:57
    advice = s['advice']
    drafts = s['drafts']
    max_drafts = s['max_drafts']
    return "then" if advice == 'good' or drafts == max_drafts else "else"


def return_2(s):
    # examples/research.py:58
    drafts = s['drafts']
    missing = s['missing']
    text = s['text']
    return Report(text, drafts, missing)


def gather_look_up_operands(s):
    # examples/research.py:48
    _1 = s['_1']
    return sites.call(look_up, _1)


def gather_return(s):
    # examples/research.py:48
    _2 = s['_2']
    return _2


FLOW = sites.Flow(
    'examples.research:research',
    '5f826a328bc865c3fadf62f7ec8d4da4414674f7f968de70321219958c3b0d06',
    {
        '': sites.Scope(
            'plan',
            ('topic', 'max_drafts'),
            (),
            frozenset({'judge', 'write'}),
            {
                'plan': sites.Operation(plan_operands, 'run', 'plan', 'questions', 'gather'),
                'gather': sites.Operation(gather_operands, 'native', 'gather', 'answers', 'after gather'),
                'after gather': sites.Block(after_gather, 'write'),
                'write': sites.Operation(write_operands, 'run', 'write', 'text', 'after write'),
                'after write': sites.Block(after_write, 'judge'),
                'judge': sites.Operation(judge_operands, 'run', 'judge', 'advice', 'if advice == "good" or drafts == max_drafts'),
                'if advice == "good" or drafts == max_drafts': sites.Decision(if_advice_good_or_drafts_max_drafts, {'then': 'return', 'else': 'write'}, '', 'if advice == "good" or drafts == max_drafts', {'then': 'then', 'else': 'else'}),
                'return': sites.Return(return_2),
            },
            {
                'plan': 'plan',
                'after gather': 'write',
                'write': 'write',
                'after write': 'judge',
                'judge': 'judge',
            },
            {
                'plan': ('max_drafts', 'topic'),
                'gather': ('max_drafts', 'questions', 'topic'),
                'after gather': ('answers', 'max_drafts', 'questions', 'topic'),
                'write': ('advice', 'drafts', 'findings', 'max_drafts', 'missing', 'topic'),
                'after write': ('drafts', 'findings', 'max_drafts', 'missing', 'text', 'topic'),
                'judge': ('drafts', 'findings', 'max_drafts', 'missing', 'text', 'topic'),
                'if advice == "good" or drafts == max_drafts': ('advice', 'drafts', 'findings', 'max_drafts', 'missing', 'text', 'topic'),
                'return': ('drafts', 'missing', 'text'),
            },
        ),
        'gather[*]': sites.Scope(
            'look_up',
            ('_1',),
            (),
            frozenset(),
            {
                'look_up': sites.Operation(gather_look_up_operands, 'run', 'look_up', '_2', 'return'),
                'return': sites.Return(gather_return),
            },
            {
                'look_up': 'look_up',
            },
            {
                'look_up': ('_1',),
                'return': ('_2',),
            },
        ),
    },
)
