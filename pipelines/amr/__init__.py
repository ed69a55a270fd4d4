"""Automatic meter reading: drivers without I/O, one transport, leases, jobs and the collection that ties them."""
