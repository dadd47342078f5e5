"""The Gauss-Newton part of a cross-entropy's Hessian, by probes in the space of outputs, where they are few.

G = J' A J with J the derivative of the network's outputs by a layer's tensor, and A = diag(p) - p p' the Hessian of the
loss by outputs, p their softmax. H = G + the curvature of the outputs themselves, which is none where they are
piecewise linear in the tensor, as in a network of convolutions, folded normalisation, ReLU, maxima and means: there
each layer's block of G *is* that of H. It is never negative.

With S S' = A and xi of independent +1 and -1, E |J' S xi|^2 = Tr G: one gradient, where Hutchinson's estimate (HAWQ-V2,
arXiv 1911.03852) takes a product with the Hessian, two to three times that. And a layer's estimate depends on its own
block alone, so that it has the variance of a probe of that layer by itself. In z' H z with z of all layers at once, the
products of one layer's z with all others' are noise: most of it where there are many layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lutra.errors import LutraError
from lutra.quant.hawq.products import Ran, Vectors

IGNORED = -100  # the label that torch.nn.functional.cross_entropy passes over


@dataclass(frozen=True)
class GaussNewton:
    """That of one batch.

    Its fields:
        tensors: one for each layer.
        outputs: logits (N, classes, ...).
        share: of the loss that each output's own has, a root of it, (N, 1, ...).
        weight: images of the batch.
    """

    tensors: Vectors
    outputs: Tensor
    share: Tensor
    weight: int

    @staticmethod
    def of(ran: Ran) -> GaussNewton:
        """Of what was run with torch.nn.functional.cross_entropy. LutraError: outputs that are no logits."""
        out = ran.outputs
        if out.ndim < 2:
            raise LutraError(f"outputs of shape {tuple(out.shape)} are no logits (N, classes)", "the search",
                             'take curvature="hessian"')
        if ran.labels.is_floating_point():  # probabilities of classes
            share = ran.labels.sum(1, keepdim=True) / (out.numel() // out.shape[1])
        else:
            counted = (ran.labels != IGNORED).unsqueeze(1)
            share = counted.to(out) / counted.sum()
        return GaussNewton(ran.tensors, out, (share * ran.times).sqrt(), ran.images)

    def estimate(self, random: torch.Generator) -> Tensor:
        """|J' S xi|^2 for each tensor, (tensors,): the trace of its block, in the mean over xi."""
        out = self.outputs.detach()
        p, xi = out.softmax(1), torch.randint(0, 2, out.shape, generator=random).to(out) * 2 - 1
        part = p.sqrt() * xi
        rooted = self.share * (part - p * part.sum(1, keepdim=True))
        found = torch.autograd.grad(self.outputs, self.tensors, rooted, retain_graph=True, allow_unused=True,
                                    materialize_grads=True)
        return torch.stack([v.double().square().sum().cpu() for v in found])
