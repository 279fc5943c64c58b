"""A run: planned, asked, answered, stored, and taken up again.

    plan ──▶ feed ──▶ runner ──▶ store          session opens the engine; keys and signature say what was asked

    asked for    asking, run_options (kinds, task_settings): every decision of `tvbench run`; serving, aside, commands
    gate         gate, task_ask, gated_item, item_faults, task_faults: from a task's rows to the items that were asked
    plan         plan, planned, questions, keys, signature, shared_items, media_digests, side_by_side; rebuilding
    very many    streamed, gone_over, sorted_rows, key_table, answer_index, spool: a million items in little memory
    before       estimate, guesses, earlier; reuse, probing: what earlier runs tell, and whose answers are taken
    asking       session, session_record, runner, feed, preparing, budget, metering, spent, machine
    on disk      store (reads), writer, disk, lines, codec; manifest, manifest_json, manifest_shape, history
    many writers shards, parts, locks, driver_token; merge, merge_checks, merged_lines, merged_manifest, merged_waves;
                 waves: batches; replicas/: Ray's actors
    watching     listening, overhearing, heartbeat, pulses, pace, processes
    read again   answered, checking; run_index, run_facts, kept_results: what ten thousand runs say in short

Knows engines by their protocol (the session and serving open one); scores nothing, shows nothing.
"""
