"""Adam: the same steps as PyTorch's class, a state that goes on elsewhere, and no compiler imported for it."""

import subprocess
import sys

import torch

from reelprior.models.adam import Adam


def parameters():
    torch.manual_seed(0)
    return [
        torch.nn.Parameter(torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last)),
        torch.nn.Parameter(torch.randn(4)),
    ]


def loss_of(weight, bias):
    return (weight**4).sum() + (bias * weight.mean((1, 2, 3))).sum()


def test_steps_are_those_of_the_class():
    ours, theirs = parameters(), parameters()
    optimiser = Adam(ours, betas=(0.8, 0.99))
    reference = torch.optim.Adam(theirs, betas=(0.8, 0.99))
    for rate in (0.1, 0.05, 0.02):
        optimiser.step(loss_of(*ours), rate)
        reference.param_groups[0]["lr"] = rate
        reference.zero_grad()
        loss_of(*theirs).backward()
        reference.step()
    torch.testing.assert_close(ours, theirs)


def test_another_goes_on_from_its_state():
    ours, others = parameters(), parameters()
    first, second = Adam(ours), Adam(others)
    for _ in range(3):
        first.step(loss_of(*ours), 0.1)
    for one, other in zip(ours, others, strict=True):
        other.data.copy_(one.data)
    second.load({name: tensor.clone() for name, tensor in first.state().items()})
    first.step(loss_of(*ours), 0.1)
    second.step(loss_of(*others), 0.1)
    assert all(torch.equal(one, other) for one, other in zip(ours, others, strict=True))


def test_the_compiler_is_not_imported():
    program = (
        "import sys, torch; from reelprior.models.adam import Adam; one = torch.nn.Parameter(torch.ones(2)); "
        "Adam([one]).step(one.sum(), 0.1); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
