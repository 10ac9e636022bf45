"""Messages under way: late, in order, none lost."""

from hypothesis import given
from hypothesis import strategies as st

from wm_sim.outbox import Outbox


@given(delays=st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_each_arrives_once_in_order_and_never_early(delays):
    outbox, arrived = Outbox(), []
    for sent, delay in enumerate(delays):
        outbox.put("colour", sent + delay, arrived.append, sent)
    found = 0
    for now in range(100):
        outbox.deliver(now)
        assert all(now >= sent + delays[sent] for sent in arrived[found:])
        found = len(arrived)
    assert arrived == list(range(len(delays)))


def test_streams_do_not_wait_for_each_other():
    outbox, arrived = Outbox(), []
    outbox.put("depth", 20, arrived.append, "depth")
    outbox.put("colour", 10, arrived.append, "colour")
    outbox.deliver(15)
    assert arrived == ["colour"]
    outbox.clear()
    outbox.deliver(100)
    assert arrived == ["colour"]
