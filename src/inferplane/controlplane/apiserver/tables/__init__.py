"""Objects as rows of a table, the way `kubectl get` shows them. Pure; the time is handed in."""
