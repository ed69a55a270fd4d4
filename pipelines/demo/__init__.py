"""`wattloom demo`: the whole platform on one machine, from a meter's readings to a printed report."""
