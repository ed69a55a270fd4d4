"""The routes of the AMR API (002)."""
