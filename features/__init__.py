"""What was known about a lead, when, and what became of it."""
