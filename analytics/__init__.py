"""Pure analytics: arrays in, arrays out; no socket, file, database, clock or framework."""
