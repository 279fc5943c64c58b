"""How a name becomes a thing: tasks, models, servers, places, downloads, environments.

    catalog, selection         what there is, and what a person typed of it
    task_files, own_data       tasks: Python files, folders and tables; declared, source_text: what they say
    cards, local_models, hub   models: cards, checkpoints here, downloads; influence, thinking, thoughts: answers
    addresses, prices          servers, and what an answer costs
    places, plug_ins           where things are looked for; remembered: what quick commands keep
    engine_names, environments engines by name; packages that need an environment of their own

Finds and describes; opens no engine and reads no rows. Knows the vocabulary and languages; no run and no score.
"""
