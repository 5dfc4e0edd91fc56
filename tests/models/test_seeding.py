import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from reelprior.models.seeding import seeded


def weights(seed):
    with seeded(seed):
        return nn.Conv2d(3, 4, 3).weight.detach()


def test_the_seed_decides_and_the_generator_is_left_as_it_was():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first, other = weights(1), weights(2)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(weights(1), first)
    assert not torch.equal(first, other)


def test_threads_do_not_draw_each_others_numbers():
    inside, go_on = threading.Event(), threading.Event()

    def slowly():
        with seeded(1):
            inside.set()
            assert go_on.wait(10)
            return nn.Conv2d(3, 4, 3).weight.detach()

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(slowly)
        assert inside.wait(10)
        second = threads.submit(weights, 2)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.2)
        go_on.set()
        assert torch.equal(first.result(), weights(1))
        assert torch.equal(second.result(), weights(2))
