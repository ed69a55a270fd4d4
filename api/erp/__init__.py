"""The routes of the ERP gateway (004)."""
