"""Python environments for containers whose image needs packages that the platform itself does not have.

`choose` (pure) says whether the platform's own environment will do and what another one would hold; `installed` knows
the platform's own; `builder` makes one with uv; `settings` says what uv is told; `Environments` shares them among pods.
"""
