"""A small generated world: coloured things, questions and captions in ten languages, clips; and a model of its size.

    world ──▶ puzzles, captions, films ──▶ samples ──▶ tasks/mini.py, training
                    render: pixels       grammars: words

Nothing is downloaded, and the same seed gives the same bytes.
"""
