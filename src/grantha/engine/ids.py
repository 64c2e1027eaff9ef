"""Ids that sort by the time they were made: a letter for the kind, milliseconds, randomness."""

from __future__ import annotations

import secrets
import time
from typing import Literal

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: they are easily misread

Kind = Literal["c", "m", "g", "i"]  # conversation, message, generation, instance


def new_id(kind: Kind) -> str:
    """A new id such as `g_01k9…`: 10 digits of time and 13 of randomness (65 bits), base 32."""
    return f"{kind}_{_base32(time.time_ns() // 1_000_000, 10)}{_base32(secrets.randbits(65), 13)}"


def _base32(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
