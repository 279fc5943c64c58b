"""Several processes of one engine, each with its own devices, fed from one queue: actors of Ray Core.

To a run they are one engine (`engine.Replicas`), so that plan, probes, budget, progress and scores stay as they are.
"""
