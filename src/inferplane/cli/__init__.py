"""The words the user types. `main` knows them all, `commands` has one module each, `why` explains."""
