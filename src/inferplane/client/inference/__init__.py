"""Clients of inference endpoints: `Client` and `AsyncClient` for everyday use, and KServe's own names for ported code.

`calls` and `values` are the pure middle (arguments → request, answer → values); `sync`, `aio` and `channel` carry them.
"""
