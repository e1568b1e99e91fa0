"""Benchmarks: functions bench_*(folder) in files bench_*.py here; run with `make bench`."""
