# runner: the parts of tests/run.py.
