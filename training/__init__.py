"""From outcomes to a registered model: labels, splits, fit, evaluate, compare, promote."""
