"""Compiled stages of the disaggregation: each reads one home's plain arrays and writes its class's energy."""
