"""Simulated meters on loopback ports: a responder per protocol, one server, faults on request."""
