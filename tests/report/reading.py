"""Reads a page as a browser would, and checks what every page promises."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Reads a page, and refuses tags that are not closed in their order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.open
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "svg"} & {*self.open}:
            self.text += data + " "

    def all(self, wanted: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag == wanted]


def check(path: Path) -> None:
    """Everything is inside, drawn in the page's colours, and has a text or heading."""
    html = path.read_text(encoding="utf-8")
    read = Page(html)
    pictures = [img["src"] for img in read.all("img")]
    pictures += [image["xlink:href"] for image in read.all("image")]
    for picture in pictures:
        kind, _, data = str(picture).partition(",")
        assert kind == "data:image/png;base64"
        Image.open(io.BytesIO(base64.b64decode(data))).verify()
    assert not read.all("script")
    assert [link["href"] for link in read.all("link")] == ["data:,"]
    ((style, rest),) = re.findall("(?s)<style>(.*)</style>(.*)", html)
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search('style="[^"]*#[0-9a-f]{6}', rest)
    named = [each["id"] for _, each in read.tags if "id" in each]
    assert len(named) == len({*named})
    assert read.all("svg")
    assert all(chart["aria-label"] for chart in read.all("svg"))
    assert all(img["alt"] for img in read.all("img"))
    headings = {heading.get("id") for heading in read.all("h2")}
    assert {section["aria-labelledby"] for section in read.all("section")} == headings
