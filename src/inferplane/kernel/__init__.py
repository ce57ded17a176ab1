"""What everything else may use: JSON values, time, back-off, the root of all errors. Knows nothing of the rest."""
