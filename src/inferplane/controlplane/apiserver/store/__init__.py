"""The embedded store: an append-only log of revisions in SQLite. `store.Store` is what the API server uses."""
