"""Stands in for the child process with a parser that takes for ever."""

import signal
import sys

if __name__ == "__main__":
    sys.stdin.buffer.read()
    signal.pause()
