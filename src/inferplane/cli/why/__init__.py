"""Why a service is not ready, in words: collect facts from the API, decide (pure), render (pure)."""
