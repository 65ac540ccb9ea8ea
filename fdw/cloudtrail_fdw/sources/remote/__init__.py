"""Paid sources about addresses."""
