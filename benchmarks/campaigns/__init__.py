"""The parts of benchmarks/campaign.py. Each knows those before it: given, asking and camp, crowd, batches, joining,
promises, course."""
