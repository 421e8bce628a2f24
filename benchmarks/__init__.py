"""The package's cost compared to bare libraries: run `python -m benchmarks`, or `python -m benchmarks NAME`."""
