"""From a registered model to a decision: score, reasons, batch, API."""
