"""The figures of campaigns and of the report, recomputed slowly and plainly from the raw rows.

Nothing here is the product's but the tables that are read. What a figure means stands in
docs/pages.md, docs/science.md and docs/feedback.md.
"""
