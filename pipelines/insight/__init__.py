"""From readings to answers: interval energy, roll-ups, disaggregation and what the reports are made of."""
