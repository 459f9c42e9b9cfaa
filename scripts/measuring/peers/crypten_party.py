"""CrypTen 0.4.1 as it is shipped: its matmul, its sigmoid (exponential and reciprocal), 16 fractional bits, Gloo.

`provider` of the specification: "TTP", a third process deals and rank 0 asks it for each tuple; "TFP", rank 0 deals
itself, and so can read everything. `fraction_bits`: others than CrypTen's 16; `model`: "linear" leaves the sigmoid out;
`device`: of all tensors, both parties on one.
The only change is the stub for its ONNX converter, without which it cannot be imported (`mpcfl.world._crypten`).

Bytes are its own count, halved: it counts what is sent and what is received. At rank 0 what goes to and from the dealer
is among them; rank 1's count is what compute parties exchange. Rounds are its count of calls that wait.
"""

from __future__ import annotations

import os
from typing import Any

from measuring.peers.stage import Stage

COMPUTE = 2


def main() -> None:
    stage = Stage()
    os.environ.update(RENDEZVOUS="env://", WORLD_SIZE=str(COMPUTE))
    import torch

    from mpcfl.world._crypten import load

    crypten = load()
    crypten.cfg.mpc.provider = stage.spec["provider"]
    crypten.cfg.encoder.precision_bits = stage.spec.get("fraction_bits", 16)
    squares = stage.spec.get("model") == "linear"
    if stage.rank == COMPUTE:
        crypten.mpc.provider.TTPServer()
        return
    torch.manual_seed(0)
    crypten.init()
    x, y = stage.table()
    n, rate, size = len(x), stage.spec["rate"], stage.spec["batch"] or len(x)
    device = stage.spec.get("device", "cpu")
    shared_x = crypten.cryptensor(torch.cat([torch.tensor(x), torch.ones(n, 1)], dim=1).float().to(device), src=0)
    shared_y = crypten.cryptensor(torch.tensor(y).float().to(device), src=0)
    crypten.cfg.communicator.verbose = True
    communicator = crypten.communicator.get()

    def fit(iterations: int) -> dict[str, Any]:
        communicator.reset_communication_stats()
        w = crypten.cryptensor(torch.zeros(x.shape[1] + 1, device=device))
        for rows in stage.batches(n, iterations):
            part = shared_x[rows]
            z = part.matmul(w)
            error = (z if squares else z.sigmoid()) - shared_y[rows]
            # The rate comes last: folded into the gradient before it, it would cost digits.
            w = w - part.t().matmul(error).div(size).mul(rate)
        counts = {"rounds": communicator.comm_rounds, "bytes": communicator.comm_bytes // 2}
        return counts | {"weights": w.get_plain_text().double().tolist()}

    stage.say_versions(crypten=_version("crypten"), torch=torch.__version__)
    stage.fits(fit)
    crypten.uninit()


def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


if __name__ == "__main__":
    main()
