"""What the scripted provider's built-in scripts answer."""


def counted(count: int) -> str:
    """The text of `scripted/count-N`, at whatever speed it is written."""
    return "".join(f"w{n} " for n in range(count))
