"""Organizations, users, tokens, API clients and sources: who may come in, and with what."""
