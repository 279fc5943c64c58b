"""A benchmark of one's own without Python: a folder with a table and pictures or clips, or the table alone.

    layout.py: which files ──▶ reading.py: their rows ──▶ columns.py: which column is what ──▶ survey.py: all rows,
    looked at once ──▶ kinds.py: what is asked and how it is scored ──▶ items.py: one row, one item ──▶ task.py

`declaration.py` is the `task.yaml` beside it, which decides what the columns' names leave open. What is understood is
decided over all rows, so that a limit, a language or an order changes no item. Knows no model, no engine and no run.
"""
