"""The alignment report: one page a week or a month, with the same numbers for both sides."""
