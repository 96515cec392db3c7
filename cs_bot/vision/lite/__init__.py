"""The CPU engine: OCR and rules, for order screens."""
