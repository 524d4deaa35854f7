"""Official SDKs, a module for each family."""
