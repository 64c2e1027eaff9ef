"""The built-in model is the published one, or it isn't used."""

import hashlib
import json
import os
from pathlib import Path

from grantha.providers.local import builtin
from grantha.providers.local.builtin import PublishedFile, verify

CONTENT = b"as published" * 1000
PUBLISHED = PublishedFile(len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def test_a_verdict_is_kept_by_size_and_time_of_change(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    assert verify(path, PUBLISHED, tmp_path)
    verdicts_file = builtin.models_folder(tmp_path) / builtin.VERDICTS
    assert list(json.loads(verdicts_file.read_text())) == [str(path)]
    # Same size and time: the verdict is used without reading the content, which saves the hashing.
    kept = path.stat()
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert verify(path, PUBLISHED, tmp_path)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns + 1))
    assert not verify(path, PUBLISHED, tmp_path)


def test_another_size_or_content_is_refused_and_leaves_no_verdict(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    for content in (CONTENT + b"x", b"y" * len(CONTENT)):
        path.write_bytes(content)
        assert not verify(path, PUBLISHED, tmp_path)
    assert not (builtin.models_folder(tmp_path) / builtin.VERDICTS).exists()


def test_damaged_verdicts_cost_only_the_hashing(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    verdicts_file = builtin.models_folder(tmp_path) / builtin.VERDICTS
    verdicts_file.parent.mkdir()
    for damage in ("{", "[]"):
        verdicts_file.write_text(damage)
        assert verify(path, PUBLISHED, tmp_path)


def test_a_folder_that_cannot_be_written_is_no_reason_to_refuse(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    in_the_way = tmp_path / "a file, not a folder"
    in_the_way.write_bytes(b"")
    assert verify(path, PUBLISHED, in_the_way)
