"""The pages where sales and marketing meet: HTML from templates, over the same service."""
