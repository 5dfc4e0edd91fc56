"""Pure tensors: network, operators, noise, observations, flow, losses, stopping, fit, temporal prior."""
