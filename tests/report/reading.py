"""Reads a page as a browser would, and checks what every page promises."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

VOID = {"meta", "link", "img", "source", "br"}


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

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data + " "

    def all(self, wanted: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag == wanted]


def check_self_contained(path: Path) -> None:
    """Every picture is inside, and nothing is fetched or run."""
    html = path.read_text(encoding="utf-8")
    read = Page(html)
    pictures = [img["src"] for img in read.all("img")]
    pictures += [source["srcset"] for source in read.all("source")]
    assert pictures
    for picture in pictures:
        kind, _, data = str(picture).partition(",")
        assert kind == "data:image/png;base64"
        Image.open(io.BytesIO(base64.b64decode(data))).verify()
    assert not read.all("script")
    assert [link["href"] for link in read.all("link")] == ["data:,"]
    (style,) = re.findall("<style>.*</style>", html, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def check_described(read: Page) -> None:
    """Every picture has a text, and every section a heading."""
    assert all(img["alt"] for img in read.all("img"))
    headings = {heading.get("id") for heading in read.all("h2")}
    assert {section["aria-labelledby"] for section in read.all("section")} == headings
