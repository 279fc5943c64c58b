"""Media: opened, verified, sampled. A bad file raises MediaError with a reason a person can act on.

Knows types and errors; no engine, no task. Video is decoded in a process of its own (see video.py).
"""
