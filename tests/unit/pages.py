"""What tests of pages share: a strict reader, and names that mean harm."""

from html.parser import HTMLParser

NASTY = ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'; DROP TABLE", "../../x", "a;rm -rf b",
         "{{ 7 * 7 }}", "x" * 300, "réseau 网络", "</title><svg onload=alert(1)>", "&lt;b&gt;"]

VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Elements with their attributes, and the text; fails where tags do not nest."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def assert_self_contained(read):
    """Nothing is asked for, and nothing runs."""
    assert not [t for t, _ in read.elements if t in ("script", "link", "img", "iframe", "object", "base", "form")]
    for _, attrs in read.elements:
        assert not {"src", "href", "srcset", "action", "xlink:href"} & set(attrs)
        assert not [k for k in attrs if k.startswith("on")]
    assert "url(http" not in read.text and "@import" not in read.text
