"""Asking AWS: clients, calls, pages, rates, budgets, errors."""
