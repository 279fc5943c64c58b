"""The parts of benchmarks/peers.py. Each knows those before it: place, sides and questions, running, server, comparing
and killing; environments stands alone, bare.py and lmms/ run in processes of their own.
"""
