"""Service → Configuration and Route, both of its name; their conditions are its own."""
