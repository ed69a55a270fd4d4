"""The stages of the disaggregation: compiled functions of one home on plain arrays.

The driver (`analytics.disaggregation.kernel`) calls them in order for home after home. A stage reads the
intervals of a home and what the stages before left of them (`residual_wh`), and writes the energy of its
class per interval (`out_wh`, between 0 and the residual). It returns the variance of its month [Wh²].
"""

from pathlib import Path

from analytics.kernels.compiling import compiler

_PACKAGE = Path(__file__).resolve().parents[1]

compiled = compiler(_PACKAGE)
"""Decorator of every function of the package; a change of any module or prior compiles all anew."""

inlined = compiler(_PACKAGE, inline="always")
"""The same for functions with a single caller that hold nearly all others: compiled on their own they would have
everything below them optimised once more."""
