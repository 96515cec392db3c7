"""The browser: one page of the catalog -> a picture with the boxes of its marked text."""

from __future__ import annotations

import io
import random
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2
from PIL import Image
from playwright.sync_api import Browser as PlaywrightBrowser
from playwright.sync_api import Page as Tab
from playwright.sync_api import Playwright, sync_playwright

from tests.screens.catalog import Device, PageSpec
from tests.screens.context import build
from tests.screens.degrade import Picture
from tests.screens.truth import Box, Layout, Mark

CHROMIUM = Path("/usr/bin/chromium")
PAGES = Path(__file__).with_name("pages")
TALL = (8000, 10000)  # pixels

MEASURE = """() => {
  const box = r => [r.left, r.top, r.right, r.bottom];
  const chars = el => {
    const out = [], walk = document.createTreeWalker(el, NodeFilter.SHOW_TEXT), range = document.createRange();
    for (let node = walk.nextNode(); node; node = walk.nextNode())
      for (let i = 0; i < node.data.length; i++) {
        if (/\\s/.test(node.data[i])) continue;
        range.setStart(node, i); range.setEnd(node, i + 1);
        const rect = range.getBoundingClientRect();
        if (rect.width > 0) out.push(box(rect));
      }
    return out;
  };
  const mark = (name, alt) => [...document.querySelectorAll('[data-' + name + ']')].map(el =>
    ({field: el.dataset[name], alt, chars: chars(el)}));
  return {
    marks: [...mark('f', false), ...mark('alt', true)].filter(m => m.chars.length),
    covers: [...document.querySelectorAll('[data-cover]')].map(el => box(el.getBoundingClientRect())),
    hole: [...document.querySelectorAll('[data-hole]')].map(el => box(el.getBoundingClientRect()))[0] || null,
  };
}"""
GROW = """target => {
  const recs = document.getElementById('recs');
  for (let i = 0; recs && recs.children.length && document.documentElement.scrollHeight < target && i < 400; i++)
    recs.append(recs.children[i % recs.children.length].cloneNode(true));
}"""


class Screens(AbstractContextManager["Screens"]):
    """A headless Chromium that photographs catalog pages. One browser, one page at a time."""

    def __init__(self) -> None:
        loader = jinja2.FileSystemLoader(PAGES)
        self._templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
        self._playwright: Playwright | None = None
        self._browser: PlaywrightBrowser | None = None

    def __enter__(self) -> Screens:
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._browser:
            self._browser.close()
        if self._playwright:
            self._playwright.stop()

    def shoot(self, spec: PageSpec, *, tall: bool = False) -> tuple[Picture, dict[str, str | None]]:
        """The page's picture and its truth. `tall` fills it up to 8,000-10,000 pixels."""
        rng = random.Random(f"{spec.seed}/shot/{tall}")
        if tall:
            lines = 12 if spec.opts["alt_layout"] else spec.opts["lines"]
            spec = replace(spec, opts=spec.opts | {"screen": False, "lines": lines})
        page = build(spec, tall=tall)
        html = self._templates.get_template(spec.template).render(page.variables)
        height = rng.randrange(*TALL) if tall else 0
        return self._photograph(spec, html, height), page.fields

    def frame(self, name: str, language: str, device: Device, spec: PageSpec) -> Picture:
        """An empty chat or gallery screen with its hole."""
        frame = replace(spec, template=f"frame_{name}.html", device=device, language=language)
        html = self._templates.get_template(frame.template).render(build(frame).variables)
        return self._photograph(replace(frame, opts=frame.opts | {"screen": True}), html, 0)

    def _photograph(self, spec: PageSpec, html: str, tall: int) -> Picture:
        assert self._browser is not None, "use Screens() as a context manager"
        device = spec.device
        tab = self._browser.new_page(
            viewport={"width": device.width, "height": device.height}, device_scale_factor=device.scale
        )
        try:
            tab.set_content(html)
            self._settle(tab, spec, tall)
            measured = tab.evaluate(MEASURE)
            image = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
        finally:
            tab.close()
        return _picture(image, measured, device.scale)

    def _settle(self, tab: Tab, spec: PageSpec, tall: int) -> None:
        width = spec.device.width
        if tall:
            tab.evaluate(GROW, tall / spec.device.scale)
            tab.set_viewport_size({"width": width, "height": round(tall / spec.device.scale)})
        elif spec.opts["screen"]:
            tab.evaluate("""() => {
              const el = document.querySelector('[data-f=order_id]');
              if (el) window.scrollTo(0, el.getBoundingClientRect().top - innerHeight * 0.62);
            }""")
        else:
            height = tab.evaluate("document.documentElement.scrollHeight")
            tab.set_viewport_size({"width": width, "height": int(height)})


def _picture(image: Image.Image, measured: dict[str, Any], scale: float) -> Picture:
    def scaled(box: list[float]) -> Box:
        left, top, right, bottom = (value * scale for value in box)
        return left, top, right, bottom

    marks = tuple(Mark(m["field"], tuple(scaled(c) for c in m["chars"]), m["alt"]) for m in measured["marks"])
    covers = tuple(scaled(box) for box in measured["covers"])
    hole = scaled(measured["hole"]) if measured["hole"] else None
    return Picture(image, Layout(image.size, marks, covers), scale, hole)
