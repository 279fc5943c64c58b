"""A run: planned, asked, answered, stored, and taken up again.

    plan ──▶ feed ──▶ runner ──▶ store          session opens the engine; keys and signature say what was asked

Knows engines by their protocol (the session and serving open one); scores nothing, shows nothing.
"""
