"""Sites of the flow `examples.saga:saga`, made by perdure. Regenerate it, do not edit it."""


from examples.saga import CancelledError
from examples.saga import charge
from examples.saga import refund
from examples.saga import release
from examples.saga import reserve
from perdure import sites


def start(s):
    # examples/saga.py:46
    reservations: list[str] = []
    receipt = ''
    s['receipt'] = receipt
    s['reservations'] = reservations


def then(s):
    # examples/saga.py:49
    order = s['order']
    s['cursor 1'] = sites.cursor(order.items)


def for_item(s):
    # examples/saga.py:49
    more, item_ = s['cursor 1'].step()
    if not more:
        return "done"
    item = item_
    s['item'] = item
    return "item"


def reserve_operands(s):
    # examples/saga.py:50
    item = s['item']
    order = s['order']
    return sites.call(reserve, order.id, item)


def after_reserve(s):
    # examples/saga.py:50
    _1 = s['_1']
    reservations = s['reservations']
    reservations.append(_1)


def charge_operands(s):
    # examples/saga.py:51
    order = s['order']
    return sites.call(charge, order)


def shipped_operands(s):
    # examples/saga.py:52
    return {'name': 'shipped', 'timeout': '14d'}


def raise_again(s):
    # examples/saga.py:48
    raise s['error 1']


def which_except_cancellederror_or_exception(s):
    # examples/saga.py:53
    try:
        raise s['error 1']
    except (CancelledError, Exception):
        return 'except CancelledError or Exception'
    except BaseException:
        return 'no clause'


def if_receipt(s):
    # examples/saga.py:54
    receipt = s['receipt']
    return "then" if receipt else "else"


def refund_operands(s):
    # examples/saga.py:55
    receipt = s['receipt']
    return sites.call(refund, receipt)


def if_receipt_else(s):
    # examples/saga.py:56
    reservations = s['reservations']
    s['cursor 2'] = sites.from_the_end(reservations)


def for_reservation(s):
    # examples/saga.py:56
    more, item_ = s['cursor 2'].step()
    if not more:
        return "done"
    reservation = item_
    s['reservation'] = reservation
    return "item"


def release_operands(s):
    # examples/saga.py:57
    reservation = s['reservation']
    return sites.call(release, reservation)


def raise_again_2(s):
    # examples/saga.py:58
    raise s['error 1']


def return_2(s):
    # examples/saga.py:59
    receipt = s['receipt']
    return receipt


FLOW = sites.Flow(
    'examples.saga:saga',
    'b6e19913d4c556dd9a0ed87f0d52726498623d67ef5a847d2f46c700fe49fb6e',
    {
        '': sites.Scope(
            'start',
            ('order',),
            (),
            frozenset({'release', 'reserve'}),
            {
                'start': sites.Block(start, 'then'),
                'then': sites.Block(then, 'for item', 'except CancelledError or Exception'),
                'for item': sites.Decision(for_item, {'item': 'reserve', 'done': 'charge'}, 'except CancelledError or Exception', 'for item', {'item': 'item', 'done': 'done'}),
                'reserve': sites.Operation(reserve_operands, 'run', 'reserve', '_1', 'after reserve', 'except CancelledError or Exception'),
                'after reserve': sites.Block(after_reserve, 'for item', 'except CancelledError or Exception'),
                'charge': sites.Operation(charge_operands, 'run', 'charge', 'receipt', 'shipped', 'except CancelledError or Exception'),
                'shipped': sites.Operation(shipped_operands, 'wait', 'shipped', None, 'return', 'except CancelledError or Exception'),
                'except CancelledError or Exception': sites.Catch('error 1', 'which except CancelledError or Exception'),
                'raise again': sites.Raise(raise_again),
                'which except CancelledError or Exception': sites.Decision(which_except_cancellederror_or_exception, {'except CancelledError or Exception': 'if receipt', 'no clause': 'raise again'}, ''),
                'if receipt': sites.Decision(if_receipt, {'then': 'refund', 'else': 'if receipt: else'}, '', 'if receipt', {'then': 'then', 'else': 'else'}),
                'refund': sites.Operation(refund_operands, 'run', 'refund', None, 'if receipt: else'),
                'if receipt: else': sites.Block(if_receipt_else, 'for reservation'),
                'for reservation': sites.Decision(for_reservation, {'item': 'release', 'done': 'raise again.2'}, ''),
                'release': sites.Operation(release_operands, 'run', 'release', None, 'for reservation'),
                'raise again.2': sites.Raise(raise_again_2),
                'return': sites.Return(return_2),
            },
            {
                'reserve': 'reserve',
                'charge': 'charge',
                'refund': 'refund',
                'if receipt: else': 'release',
                'for reservation': 'release',
                'release': 'release',
            },
            {
                'start': ('order',),
                'then': ('order', 'receipt', 'reservations'),
                'for item': ('cursor 1', 'order', 'receipt', 'reservations'),
                'reserve': ('cursor 1', 'item', 'order', 'receipt', 'reservations'),
                'after reserve': ('_1', 'cursor 1', 'order', 'receipt', 'reservations'),
                'charge': ('order', 'receipt', 'reservations'),
                'shipped': ('receipt', 'reservations'),
                'except CancelledError or Exception': ('error 1', 'receipt', 'reservations'),
                'raise again': ('error 1',),
                'which except CancelledError or Exception': ('error 1', 'receipt', 'reservations'),
                'if receipt': ('error 1', 'receipt', 'reservations'),
                'refund': ('error 1', 'receipt', 'reservations'),
                'if receipt: else': ('error 1', 'reservations'),
                'for reservation': ('cursor 2', 'error 1'),
                'release': ('cursor 2', 'error 1', 'reservation'),
                'raise again.2': ('error 1',),
                'return': ('receipt',),
            },
        ),
    },
)
