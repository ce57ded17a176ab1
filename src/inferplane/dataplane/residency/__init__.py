"""Many models in one server: all are known, those that were used lately are in memory."""
