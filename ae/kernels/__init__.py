"""The fast core: C++ kernels that run both LSTMs of LSTM_AE on the CPU.

`lstm.cpp` is compiled for this machine's processor on first use, in about 3 s, and kept in the user's cache folder.
ctypes loads the library, so it needs no headers of torch or Python and works with any version of them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ae.errors import UserError
from ae.kernels.build import Unavailable, library

if TYPE_CHECKING:
    import torch

__all__ = ["CORES", "Unavailable", "library", "use_fast"]

CORES = ("auto", "fast", "stock")


def use_fast(core: str, device: torch.device, layers: int = 1) -> bool:
    """Decide whether a model on `device` uses the fast core; build it if necessary.

    Args:
        core: "fast" demands the fast core; "stock" demands nn.LSTM; "auto" uses the fast core where it is available
            and otherwise logs why not.
        device: where the model is.
        layers: LSTM layers of its encoder; the fast core has one, so "auto" takes nn.LSTM for more.

    Raises:
        UserError: if `core` is not one of these names, or is "fast" where the fast core is not available.
    """
    if core not in CORES:
        raise UserError(f"core must be one of {', '.join(CORES)}, got {core!r}")
    if core == "stock" or (core == "auto" and (device.type != "cpu" or layers > 1)):
        return False
    try:
        if device.type != "cpu":
            raise Unavailable(f"it runs on the CPU, not on {device.type}")
        if layers > 1:
            raise Unavailable("it has no second layer")
        library()
    except Unavailable as why:
        if core == "fast":
            raise UserError(f"core must be auto or stock here, got 'fast': {why}") from None
        logging.getLogger(__name__).warning("training uses nn.LSTM, not the fast core: %s", why)
        return False
    return True
