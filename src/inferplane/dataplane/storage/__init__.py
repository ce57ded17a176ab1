"""Where model files come from: a storage URI → a directory on this machine."""
