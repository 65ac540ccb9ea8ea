"""Reverse DNS."""
