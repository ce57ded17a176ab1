"""Serving models: what authors import (`model`), the server, the runtimes, and where model files come from."""
