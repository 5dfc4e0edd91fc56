"""Adam (Kingma and Ba, "Adam: a method for stochastic optimization", arXiv:1412.6980) and its state as arrays.

The arithmetic is PyTorch's, in the functional form. Its class `torch.optim.Adam` computes the same, but imports the
compiler of the whole of PyTorch when it is made: 1.3 seconds and 70 MiB of every process that restores.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim.adam import adam

__all__ = ["Adam"]

_EPSILON = 1e-8


class Adam:
    """The optimiser of some parameters, which change in place.

    Parameters
    ----------
    parameters
        Each has to have a gradient at every step.
    betas
        Decay of the running means of gradients and of their squares.
    """

    def __init__(self, parameters: Iterable[Parameter], *, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self._parameters: list[Tensor] = list(parameters)
        self._betas = betas
        # The fused step walks through memory: moments lie as their parameters do, channels last for instance.
        self._means = [torch.zeros_like(one, requires_grad=False) for one in self._parameters]
        self._squares = [torch.zeros_like(one, requires_grad=False) for one in self._parameters]
        self._steps = [torch.zeros((), device=one.device) for one in self._parameters]

    def step(self, loss: Tensor, learning_rate: float) -> None:
        """Go down the gradient of a loss."""
        for parameter in self._parameters:
            parameter.grad = None
        torch.autograd.backward(loss)
        with torch.no_grad():
            adam(
                self._parameters,
                [one.grad for one in self._parameters if one.grad is not None],
                self._means,
                self._squares,
                [],
                self._steps,
                fused=True,
                amsgrad=False,
                beta1=self._betas[0],
                beta2=self._betas[1],
                lr=learning_rate,
                weight_decay=0.0,
                eps=_EPSILON,
                maximize=False,
            )

    def state(self) -> dict[str, Tensor]:
        """The moments and step counts themselves, by number of the parameter and name."""
        named = {"step": self._steps, "exp_avg": self._means, "exp_avg_sq": self._squares}
        return {f"{n}.{name}": tensor for name, tensors in named.items() for n, tensor in enumerate(tensors)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from another's state, of parameters of the same shapes."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
