"""The root of every error that Inferplane raises on purpose.

A message says where, what was expected, what came, and what to do; it is one line and is fit to be shown to a user.
Foreign exceptions are turned into these at one boundary each, with `from`.
"""


class InferplaneError(Exception):
    """An error whose text is written for the user. `fix` is what to do about it, when there is one thing to do."""

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}: {self.fix}" if self.fix else self.message
