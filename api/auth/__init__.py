"""Who may come in, and the routes that hand out tokens."""
