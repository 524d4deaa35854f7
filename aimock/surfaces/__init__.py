"""What the outside world sees: each surface turns requests into answers with the same pipeline."""
