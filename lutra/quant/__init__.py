"""Training in fixed point: what the training loop computes is what the hardware computes, on every bit.

>>> import lutra.quant as q                                                                  # doctest: +SKIP
>>> q.quantize(net, q.Recipe(weights=q.Fixed(4), activations=q.Fixed(4), elementwise=q.Fixed(8)))  # doctest: +SKIP
>>> q.calibrate(net, loader)                                                                 # doctest: +SKIP
"""

from lutra.quant.ctc import CTCCollapse
from lutra.quant.export import export
from lutra.quant.fixed import cast
from lutra.quant.kinds import Binary, Fixed, Format, KHot, Scaled, Ternary
from lutra.quant.network import quantize, sites
from lutra.quant.recipe import Recipe
from lutra.quant.recurrent.formats import Recurrent
from lutra.quant.recurrent.layers import GRU, LSTM
from lutra.quant.sites import Site
from lutra.quant.stages import Schedule, calibrate, freeze, parameters
from lutra.quant.table import Row, formats

__all__ = ["GRU", "LSTM", "Binary", "CTCCollapse", "Fixed", "Format", "KHot", "Recipe", "Recurrent", "Row", "Scaled",
           "Schedule", "Site", "Ternary", "calibrate", "cast", "export", "formats", "freeze", "parameters",
           "quantize", "sites"]
