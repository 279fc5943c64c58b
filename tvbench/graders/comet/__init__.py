"""COMET: the translations of a run, scored by a worker in another environment and kept in the run folder by content.

    checkpoints.py   which model is meant, where it lies, what exactly it is
    segments.py      what is sent: source, answer, reference, and the key that stands for them
    record.py        RUN/comet/: scores as they lie on disk, and as analysis/assess.py reads them back
    session.py       scores what is not there yet

Only worker.py imports comet: it runs in an environment of its own (process.py is its near side).
"""
