"""A home's interval energy split into appliance classes, without labels; see `model.disaggregate`."""
