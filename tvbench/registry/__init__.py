"""How a name becomes a thing: tasks, models, servers, places, downloads, environments.

Finds and describes; opens no engine and reads no rows. Knows the vocabulary and languages; no run and no score.
"""
