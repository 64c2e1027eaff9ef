"""Stands in for the child process with a parser that was taken over: looks for a key, and writes a file."""

import os
import sys
import tempfile

from grantha.documents import child_process
from grantha.documents.text_buffer import TextBuffer


def _pry(_data: bytes, text: TextBuffer) -> None:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
        wrote = "wrote"
    except OSError as error:
        wrote = str(error.strerror)
    text.add(f"{os.environ.get('OPENAI_API_KEY', 'no key')}; {wrote}")


if __name__ == "__main__":
    child_process.main(int(sys.argv[1]), lambda _data: ("text/plain", _pry))
