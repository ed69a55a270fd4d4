"""How well and how fast the disaggregation is: labelled homes, measures, simple methods beside it, one run."""
