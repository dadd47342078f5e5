"""One report model, written as JSON and shown as a page."""

from lutra.report.html import page

__all__ = ["page"]
