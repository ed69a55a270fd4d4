"""The routes of the household API (003)."""
