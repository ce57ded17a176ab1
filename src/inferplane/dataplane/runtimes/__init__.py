"""One module per model format, each behind an extra of its own; `registry` knows them by name and imports none."""
