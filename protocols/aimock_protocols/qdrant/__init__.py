"""Qdrant's REST API as pure values: what requests ask, what points satisfy filters, how answers and errors read."""
