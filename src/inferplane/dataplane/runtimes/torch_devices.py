"""Where PyTorch computes."""

from pathlib import Path

import torch

from inferplane.dataplane.runtimes.torch_programs import reason
from inferplane.inference.errors import ModelLoadError


def device_of(asked: str, model: Path) -> "torch.device":
    """What is asked for, else the first GPU, else the CPU. ModelLoadError names the model that cannot be there."""
    try:
        device = torch.device(asked or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except Exception as error:
        raise ModelLoadError(
            f"{model}: the device {asked} cannot be used: {reason(error)}", fix="--device=cpu, or leave it out"
        ) from error
    return device
