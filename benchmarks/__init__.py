"""Measures of speed and memory, each against what it is compared with: `python -m benchmarks`."""
