"""Training on several processes or machines through PyTorch's own torchrun: every process takes its part of each batch."""

import os
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class Processes:
    """This process among all that train together."""

    rank: int = 0
    count: int = 1

    @staticmethod
    def join() -> "Processes":
        """Join the processes that torchrun has started; alone without it."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return Processes()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return Processes(distributed.get_rank(), count)

    @property
    def first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def average_gradients(self, model: nn.Module) -> None:
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def average(self, numbers: dict[str, float]) -> dict[str, float]:
        """Means over all processes."""
        if self.count == 1:
            return numbers
        values = torch.tensor(list(numbers.values()), dtype=torch.float64)
        distributed.all_reduce(values)
        return dict(zip(numbers, (values / self.count).tolist(), strict=True))


ALONE = Processes()


def shared_mean(total: Tensor) -> Tensor:
    """A sum over the batch as each process must divide by it: its mean over processes, without a gradient."""
    if not distributed.is_initialized():
        return total
    mean = total.detach().clone()
    distributed.all_reduce(mean)
    return mean / distributed.get_world_size()
