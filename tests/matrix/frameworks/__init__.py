"""Frameworks that reach providers by ways of their own, a module for each."""
