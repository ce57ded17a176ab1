"""Paddle models that tests serve: saved in a process of its own, for Paddle's modes are the whole process's.

`python -m tests.runtimes.paddle_models DIRECTORY` writes the same layers as `new/` (`.json`) and `old/` (`.pdmodel`),
and a program of two inputs and two outputs as `two/`.
"""

import sys
from pathlib import Path

import paddle
from paddle import nn
from paddle.static import InputSpec


class Two(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.offset = self.create_parameter([1], default_initializer=nn.initializer.Constant(0.5))

    def forward(self, numbers: paddle.Tensor, words: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
        return numbers.sum(axis=1) + self.offset, words * 2


def main(directory: Path) -> None:
    paddle.seed(7)
    layers = nn.Sequential(nn.Linear(4, 3), nn.Softmax())
    layers.eval()
    rows = [InputSpec([None, 4], "float32", "x")]
    paddle.jit.save(layers, str(directory / "new" / "model"), input_spec=rows)
    both = [InputSpec([None, 2], "float32", "numbers"), InputSpec([None], "int64", "words")]
    paddle.jit.save(Two(), str(directory / "two" / "model"), input_spec=both)
    with paddle.pir_utils.DygraphOldIrGuard():
        paddle.jit.save(layers, str(directory / "old" / "model"), input_spec=rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
