"""Pages in a real browser: Debian's Chromium, driven by Playwright, which downloads nothing here."""

import shutil
from contextlib import contextmanager

import pytest

__all__ = ["DESKTOP", "PHONE", "browser_page", "needs_chromium", "open_browser", "violations"]

PHONE, DESKTOP = (390, 844), (1280, 900)

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs the system's chromium (apt install chromium)"
)


@contextmanager
def open_browser():
    """A browser for the tests of one module: while it is open, this thread has a running event loop."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install '.[test]'")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def browser_page(browser, path, size):
    """The page in a window of that size, offline; anything it logs or tries to fetch fails the test."""
    complaints = []
    with browser.new_context(viewport={"width": size[0], "height": size[1]}, offline=True) as context:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if _leaves(request.url) else None)
        page.goto(path.as_uri())
        yield page
    assert complaints == []


def _leaves(url):
    """Whether a request goes anywhere but to the page itself and the pictures in it."""
    return not url.startswith(("file:", "data:"))


def violations(page):
    """What a keyboard or a screen reader would stumble over, as sentences."""
    return page.evaluate(
        """() => {
        const found = [];
        const label = (e) => e.labels && e.labels.length && e.labels[0].textContent.trim();
        const name = (e) => e.getAttribute("aria-label") || label(e) || e.textContent.trim();
        for (const e of document.querySelectorAll("input, a[href], button, summary"))
            if (!name(e)) found.push(`a control without a name: ${e.outerHTML.slice(0, 80)}`);
        for (const e of document.querySelectorAll("img"))
            if (!e.alt) found.push(`a picture without words: ${e.outerHTML.slice(0, 40)}`);
        for (const e of document.querySelectorAll("svg"))
            if (e.getAttribute("role") !== "img" || !e.ariaLabel) found.push("a drawing without words");
        for (const e of document.querySelectorAll("th")) if (!e.scope) found.push("a header without a scope");
        const levels = [...document.querySelectorAll("h1, h2, h3")].map((e) => Number(e.tagName[1]));
        if (levels[0] !== 1) found.push("the first heading is no h1");
        if (levels.some((level, i) => i && level > levels[i - 1] + 1)) found.push("a heading level is left out");
        if (!document.querySelector("main")) found.push("no main landmark");
        if (document.documentElement.lang !== "en") found.push("no language");
        if (document.documentElement.scrollWidth > window.innerWidth)
            found.push(`wider than the window by ${document.documentElement.scrollWidth - window.innerWidth} pixels`);
        return found;
    }"""
    )
