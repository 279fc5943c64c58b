"""Weights on disk and the small files beside them: read, checked, put right; the chat template, too.

Nothing of a stranger's folder is believed. Knows where models lie; no engine, no task, no run.
"""
