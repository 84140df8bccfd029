"""What critic and generator play for: losses as pure functions of critic scores.

A new loss is one small class here and one line in `OBJECTIVES`; or a class of a user's own,
an instance of which is given as `objective=`. `real` and `fake` are
critic scores of shape (batch,), on the scale of logits; higher means more real. Every
loss is minimised by its player.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from .distributed import share, whole
from .precision import full_precision

Critic = Callable[[Tensor, Tensor], Tensor]
Penalty = Callable[[Critic, Tensor, Tensor, Tensor], Tensor]


def gradient_norms(critic: Critic, x: Tensor, y: Tensor) -> Tensor:
    """Norm of the critic's input gradient, one per sample, over all non-batch axes.

    Shape: x (batch, ...), y (batch,) -> (batch,). Differentiable twice; the epsilon
    inside the root keeps the second derivative finite where the gradient is zero. In full
    precision also where networks compute in bfloat16, whose derivative of a derivative is
    mostly rounding. A critic that has an `input_gradient` is asked for that instead.
    """
    if hasattr(critic, "input_gradient"):
        gradient = critic.input_gradient(x.detach(), y)
    else:
        x = x.detach().requires_grad_()
        with full_precision(x.device):
            (gradient,) = torch.autograd.grad(critic(x, y).sum(), x, create_graph=True)
    return (gradient.flatten(1).square().sum(1) + 1e-12).sqrt()


def interpolate(real: Tensor, fake: Tensor) -> Tensor:
    """One uniformly drawn point on the segment between each real and fake sample."""
    shape = (whole(len(real)), *[1] * (real.dim() - 1))
    weight = share(torch.rand(shape, dtype=real.dtype, device=real.device))
    return torch.lerp(fake, real, weight)


def one_centred_penalty(critic: Critic, real: Tensor, fake: Tensor, y: Tensor) -> Tensor:
    """Mean of ``(|gradient| - 1)^2`` between real and fake: Gulrajani et al. 2017."""
    return (gradient_norms(critic, interpolate(real, fake), y) - 1).square().mean()


def zero_centred_penalty(critic: Critic, real: Tensor, fake: Tensor, y: Tensor) -> Tensor:
    """Mean of ``|gradient|^2`` on the real and on the fake samples, halved.

    R1 and R2 of Mescheder et al. 2018: damps the rotation around the equilibrium.
    """
    on_real = gradient_norms(critic, real, y).square().mean()
    on_fake = gradient_norms(critic, fake, y).square().mean()
    return (on_real + on_fake) / 2


class Objective:
    """Base class of the objectives.

    `penalty` and `penalty_weight` are what is added to the critic's loss by default; a
    weight chosen by the user replaces `penalty_weight`.

    Examples
    --------
    The hinge loss (Lim and Ye 2017), with the zero-centred penalty:

    >>> import numpy as np
    >>> from gansampler import TabularGAN
    >>> from gansampler.adversarial import Objective
    >>> class Hinge(Objective):
    ...     penalty_weight = 0.03
    ...
    ...     def critic_loss(self, real, fake):
    ...         return (1 - real).relu().mean() + (1 + fake).relu().mean()
    ...
    ...     def generator_loss(self, fake):
    ...         return -fake.mean()
    >>> gan = TabularGAN(objective=Hinge(), max_iter=5, random_state=0)
    >>> gan.fit(np.random.default_rng(0).normal(size=(40, 3))).n_iter_
    5
    """

    penalty: Penalty = staticmethod(zero_centred_penalty)
    penalty_weight: float = 0.0

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Of scores of real and of fake samples."""
        raise NotImplementedError

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Of scores of fake samples."""
        raise NotImplementedError

    def project_(self, parameters: Iterable[nn.Parameter]) -> None:
        """Force a constraint on the critic's parameters, in place, after each step."""


class NonSaturating(Objective):
    """The game of Goodfellow et al. 2014 with the generator loss they used in practice.

    Critic: -log D(real) - log(1 - D(fake)); generator: -log D(fake), whose gradient
    stays near 1 where the critic is sure that a sample is fake. D = sigmoid(score).
    """

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator_loss(self, fake: Tensor) -> Tensor:
        return softplus(-fake).mean()


class Minimax(NonSaturating):
    """The same game as first written down, Goodfellow et al. 2014, eq. 1.

    Generator: log(1 - D(fake)), whose gradient vanishes where the critic is sure.
    """

    def generator_loss(self, fake: Tensor) -> Tensor:
        return -softplus(fake).mean()


class LeastSquares(Objective):
    """Squared distance of scores to 1 (real) and 0 (fake): Mao et al. 2017, eq. 9."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator_loss(self, fake: Tensor) -> Tensor:
        return (fake - 1).square().mean() / 2


class Wasserstein(Objective):
    """Difference of mean scores, the dual of the Wasserstein-1 distance.

    Arjovsky et al. 2017. The critic must be 1-Lipschitz up to a constant; the subclasses
    differ in how they see to that.
    """

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator_loss(self, fake: Tensor) -> Tensor:
        return -fake.mean()


class WassersteinClip(Wasserstein):
    """Critic weights clipped to [-0.01, 0.01]: Arjovsky et al. 2017, algorithm 1."""

    clip = 0.01

    def project_(self, parameters: Iterable[nn.Parameter]) -> None:
        with torch.no_grad():
            for parameter in parameters:
                parameter.clamp_(-self.clip, self.clip)


class WassersteinGP(Wasserstein):
    """Gradient norm pulled to 1 between real and fake: Gulrajani et al. 2017."""

    penalty = staticmethod(one_centred_penalty)
    penalty_weight = 0.03


class WassersteinZeroGP(Wasserstein):
    """Gradient pulled to 0 on real and fake: Mescheder et al. 2018."""

    penalty = staticmethod(zero_centred_penalty)
    penalty_weight = 0.03


OBJECTIVES: dict[str, Objective] = {
    "minimax": Minimax(),
    "non-saturating": NonSaturating(),
    "least-squares": LeastSquares(),
    "wasserstein-clip": WassersteinClip(),
    "wasserstein-gp": WassersteinGP(),
    "wasserstein-zero-gp": WassersteinZeroGP(),
}
