"""Compiling ahead: what it compiles is what a home with readings runs."""

from analytics.disaggregation.kernel import disaggregate_homes
from analytics.disaggregation.model import disaggregate, is_ready
from pipelines.insight.readiness import compile_ahead
from tests.unit.analytics.disaggregation.homes import batch_of, home


def test_a_measured_home_runs_what_was_compiled_ahead_and_nothing_else():
    compile_ahead()
    ahead = list(disaggregate_homes.signatures)

    assert is_ready()
    assert len(ahead) == 1
    disaggregate(batch_of(home(2024, 2, context_days=1)))

    assert disaggregate_homes.signatures == ahead
