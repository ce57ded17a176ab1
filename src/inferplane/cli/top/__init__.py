"""What each service does now: read twice (`collect`), compare (`compare`, pure), show (`render`, pure)."""
