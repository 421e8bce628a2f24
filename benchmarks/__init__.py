"""What the package costs beside the bare libraries; run with `python -m benchmarks`, or `python -m benchmarks NAME`."""
