"""Media: opened, verified, sampled. A bad file raises MediaError with a reason a person can act on.

    images, kinds, anyres               pictures, and what a file is
    video ──▶ decode_worker ──▶ decode  clips, in a process of their own: decode_forward (PyAV) or decode_numbered
                                        (decord, torchcodec); container, survey, canvas, decoders; shared_clips
    clips, room                         what a decoded medium is, and how much may be decoded at once

Knows types and errors; no engine, no task.
"""
