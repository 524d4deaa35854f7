"""Wire formats of the services that aimock stands in for, as pure values: no I/O, no clock, no randomness."""
