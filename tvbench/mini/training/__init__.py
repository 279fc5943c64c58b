"""The mini world as something to learn from: samples, the small tower's lessons, small parts and sizes.

The only part of `mini` that knows the trainer.
"""
