"""The ERP gateway (004): events of other systems, mapped to meters and readings."""
