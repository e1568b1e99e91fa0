"""Several dates of one place: which files belong to which date, what is clear, composites."""
