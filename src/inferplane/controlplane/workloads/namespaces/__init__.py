"""Namespaces: what each of them has from the start, and how they end. `plan` decides."""
