"""Ways in from other harnesses, and out to services of batches. Reads their files; never imports their code.

lmms_logs, join, reduced, runs          logs of lmms-eval as runs
batch_export, batch_lines, batch_import what a run lacks as files for a service of batches, and what came back
"""
