"""What a generation used over several calls: nothing invented, nothing reported thrown away."""

from __future__ import annotations

from grantha.chat import Capabilities, Usage
from grantha.engine.usage_total import UsageTotal

PRICED = Capabilities(input_price=1.0, output_price=0.0)


def test_calls_of_several_models_are_priced_each_by_its_own() -> None:
    total = UsageTotal(partial=False)
    for price in (1.0, 10.0):
        total.accepted()
        total.record(Usage(1_000_000, 0))
        total.finish(Capabilities(input_price=price, output_price=0.0), complete=True)
    assert total.total() == Usage(2_000_000, 0, cost_usd=11.0)


def test_a_refused_call_adds_nothing() -> None:
    total = UsageTotal(partial=False)
    assert total.finish(PRICED, complete=False) is False
    assert total.total() is None
    total.accepted()
    total.record(Usage(1_000_000, 1))
    total.finish(PRICED, complete=True)
    assert total.total() == Usage(1_000_000, 1, cost_usd=1.0)


def test_what_a_cut_call_reported_is_kept_as_a_lower_bound() -> None:
    total = UsageTotal(partial=False)
    total.accepted()
    total.record(Usage(1_000_000, 1))
    assert total.finish(PRICED, complete=False) is True
    assert total.total() == Usage(1_000_000, 1, cost_usd=1.0, partial=True)
    total.accepted()
    assert total.finish(PRICED, complete=False) is False
    assert total.total() == Usage(1_000_000, 1, cost_usd=1.0, partial=True)


def test_the_next_owner_goes_on_from_the_sum_that_was_written_down() -> None:
    total = UsageTotal(partial=True)
    assert total.total() is None
    total.resume(Usage(10, 1, partial=True))
    total.accepted()
    total.record(Usage(20, 2))
    total.finish(Capabilities(), complete=True)
    assert total.total() == Usage(30, 3, partial=True)
