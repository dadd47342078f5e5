"""One report model, written as JSON and shown as a page; and the page of a plan of bits."""

from lutra.report.bits import bits_page
from lutra.report.html import page

__all__ = ["bits_page", "page"]
