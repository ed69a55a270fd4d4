"""The registry: customers and meters as others deliver them, with privacy built in."""
