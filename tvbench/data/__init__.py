"""What comes in: rows of files and of the hub, options and true-or-false words in them, pictures and clips.

    sources/    rows, and what is in a cell         authoring     what task files share
    media/      pictures and clips, opened          options, splitting, true_false     text of rows, parsed

Knows the registry's downloads and places; no engine, no score, no run.
"""
