"""KServe's module paths, so that code written for `kserve` runs with its imports changed and nothing else.

`inferplane`'s own `__path__` ends here: `inferplane.protocol.infer_type` is found as `compat/protocol/infer_type.py`.
Each module only hands on what lives elsewhere; new code imports from `inferplane` (docs/decisions/0005).
"""
