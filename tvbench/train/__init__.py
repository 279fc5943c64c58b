"""Training of TowerVision-like models: recipe, assembly, data, loop, checkpoints, export.

    recipe ──▶ stages, each:  model (assembled, or the stage before) + data ──▶ loop ──▶ checkpoints ──▶ export

`recipe` and `plan` need no torch; everything else is imported when a stage begins.
"""
