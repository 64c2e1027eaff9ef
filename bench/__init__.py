"""Load and latency programs that anyone can run: `python -m bench` for all, `bench.paced` for one.

Everything runs on 127.0.0.1, is bounded in count and time, and is ended by the program that started
it. See README.md here for what each measures and the last numbers.
"""
