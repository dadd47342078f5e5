"""ZeroQ: bits chosen, and ranges calibrated, without any data (Cai et al., arXiv 2001.00281).

>>> found = zeroq.search(net, prior, {"size": 134_000})                                        # doctest: +SKIP
>>> q.quantize(net, found.plan.recipe(zeroq.BASE))                                             # doctest: +SKIP
>>> q.calibrate(net, [found.images], "mse")                                                    # doctest: +SKIP
"""

from lutra.quant.zeroq.distil import Distilled, distill
from lutra.quant.zeroq.prior import Prior
from lutra.quant.zeroq.search import BASE, Options, Result, distilled, search
from lutra.quant.zeroq.sensitivity import Sensitivities, sensitivities

__all__ = ["BASE", "Distilled", "Options", "Prior", "Result", "Sensitivities", "distill", "distilled",
           "search", "sensitivities"]
