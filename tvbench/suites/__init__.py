"""Suites: models x tasks x languages x settings from one YAML file. How a list becomes runs, who asks them in which
order, and what of them is missing."""
