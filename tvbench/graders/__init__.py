"""Scorers that cost something: a judge is asked, COMET is computed elsewhere. What they said is kept with the run.

Know runs and what they hold; no report.
"""
