"""Recording: on a miss the real provider answers, and what it said is kept."""
