"""Bits chosen by the loss's curvature, from some images with labels (HAWQ-V2, arXiv 1911.03852).

>>> from lutra.quant import hawq                                                     # doctest: +SKIP
>>> found = hawq.search(net, batches, options, {"bitops": 40e6})                     # doctest: +SKIP
>>> lutra.quant.quantize(net, found.plan.recipe(hawq.RECIPE))                        # doctest: +SKIP
"""

from lutra.quant.hawq.gauss_newton import GaussNewton
from lutra.quant.hawq.omega import Omega, input_errors, weight_errors
from lutra.quant.hawq.products import Curvature, of_inputs, of_weights
from lutra.quant.hawq.search import DYADIC, RECIPE, Found, search
from lutra.quant.hawq.traces import Trace, input_traces, weight_traces

__all__ = ["DYADIC", "RECIPE", "Curvature", "Found", "GaussNewton", "Omega", "Trace", "input_errors", "input_traces",
           "of_inputs", "of_weights", "search", "weight_errors", "weight_traces"]
