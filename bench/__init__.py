"""The budgets, measured beside the peers: `make bench`."""
