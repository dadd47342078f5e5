"""One report model, written as JSON and shown as a page; and the pages of plans of bits and of widths."""

from lutra.report.bits import bits_page
from lutra.report.html import page
from lutra.report.widths import widths_page

__all__ = ["bits_page", "page", "widths_page"]
