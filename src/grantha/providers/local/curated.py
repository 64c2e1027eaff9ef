"""A short list of recommended models: what `grantha models fetch` knows by name.

All may be used and passed on (Apache-2.0), fit a machine with the memory that is named, and are pinned:
to a revision of their repository, to their size and to their SHA-256. The digests are those that the
hub publishes for its files; each was compared with what independent public projects pin for the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class CuratedModel:
    """One row. `memory` is what a machine should have in all, in bytes."""

    name: str
    title: str
    repository: str
    revision: str
    file: str
    size: int
    sha256: str
    memory: int
    description: str
    license: str = "Apache-2.0"

    def url(self, hub: str = HUB) -> str:
        """Where the hub, or a mirror with the same paths, has it."""
        return f"{hub.rstrip('/')}/{self.repository}/resolve/{self.revision}/{quote(self.file)}"


_GB = 10**9

CURATED = (
    CuratedModel(
        "qwen3-0.6b",
        "Qwen3 0.6B",
        "Qwen/Qwen3-0.6B-GGUF",
        "23749fefcc72300e3a2ad315e1317431b06b590a",
        "Qwen3-0.6B-Q8_0.gguf",
        639_446_688,
        "9465e63a22add5354d9bb4b99e90117043c7124007664907259bd16d043bb031",
        4 * _GB,
        "Short answers and simple tools on any machine.",
    ),
    CuratedModel(
        "qwen3-1.7b",
        "Qwen3 1.7B",
        "Qwen/Qwen3-1.7B-GGUF",
        "90862c4b9d2787eaed51d12237eafdfe7c5f6077",
        "Qwen3-1.7B-Q8_0.gguf",
        1_834_426_016,
        "061b54daade076b5d3362dac252678d17da8c68f07560be70818cace6590cb1a",
        6 * _GB,
        "Useful everyday answers on an older laptop.",
    ),
    CuratedModel(
        "qwen3.5-4b",
        "Qwen3.5 4B",
        "unsloth/Qwen3.5-4B-GGUF",
        "e87f176479d0855a907a41277aca2f8ee7a09523",
        "Qwen3.5-4B-Q4_K_M.gguf",
        2_740_937_888,
        "00fe7986ff5f6b463e62455821146049db6f9313603938a70800d1fb69ef11a4",
        8 * _GB,
        "The best answers for its size; many languages, tools, reasoning.",
    ),
    CuratedModel(
        "gemma-4-e2b",
        "Gemma 4 E2B",
        "google/gemma-4-E2B-it-qat-q4_0-gguf",
        "675cff42a74c774d6cb76f76d8eacb49b48c9b93",
        "gemma-4-E2B_q4_0-it.gguf",
        3_349_516_256,
        "fa401b55b07ee70a54c6dae3903c783a6e65064312529ea57175cb5f8dec6634",
        8 * _GB,
        "Fluent writing in many languages.",
    ),
    CuratedModel(
        "qwen3.5-9b",
        "Qwen3.5 9B",
        "unsloth/Qwen3.5-9B-GGUF",
        "3885219b6810b007914f3a7950a8d1b469d598a5",
        "Qwen3.5-9B-Q4_K_M.gguf",
        5_680_522_464,
        "03b74727a860a56338e042c4420bb3f04b2fec5734175f4cb9fa853daf52b7e8",
        16 * _GB,
        "Longer and more careful work; slow without a fast processor.",
    ),
    CuratedModel(
        "gpt-oss-20b",
        "gpt-oss 20B",
        "ggml-org/gpt-oss-20b-GGUF",
        "e1dc459feff949ff451ce107337a2026daa80df8",
        "gpt-oss-20b-mxfp4.gguf",
        12_109_566_560,
        "be37a636aca0fc1aae0d32325f82f6b4d21495f06823b5fbc1898ae0303e9935",
        24 * _GB,
        "Hard questions, code and reasoning, if the memory is there.",
    ),
)


def curated_model(name: str) -> CuratedModel | None:
    """The row of this name."""
    return next((model for model in CURATED if model.name == name), None)
