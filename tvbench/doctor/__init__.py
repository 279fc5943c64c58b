"""What is wrong with a checkpoint, and what to do about it: traps of TowerVision-type models, and measured numbers.

Nothing here changes a file; `tvbench models import` does. Knows checkpoints and the local engines; no task and no run.
"""
