"""tvbench: how good is a multilingual vision-language model, in your language, and how sure can one be."""

import time as _time

__version__ = "0.1.0"
_LOADED = _time.time_ns()
"""When this process began to read tvbench: what is younger on the disk is not what runs here
(registry/remembered.py)."""
