# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""As much of the WebDriver protocol (W3C) as the scenarios need, over the standard library only."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name that the protocol gives to references
PATIENCE = 30  # seconds until a test counts as broken; never a measure of anything
BETWEEN_CLICKS_MS = 120  # faster than any hand, the browser drops a submission that it has not begun to send

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=900,900",
]


class DriverError(Exception):
    """An answer of the driver that is an error; `kind` is the protocol's word for it."""

    def __init__(self, kind, message):
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Browser:
    """A headless Chromium with a profile of its own. A context manager: leaving it ends the processes it started."""

    def __init__(self, javascript):
        self.javascript = javascript

    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="once-browser-")
        self.log = open(os.path.join(self.profile, "chromedriver.log"), "wb")
        self.driver = subprocess.Popen([os.environ["ONCE_CHROMEDRIVER"], "--port=0"],
                                       stdout=subprocess.PIPE, stderr=self.log, text=True)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                break
        else:
            raise RuntimeError("chromedriver did not start")
        self.base = f"http://127.0.0.1:{found[1]}/session"
        options = {
            "binary": os.environ["ONCE_CHROMIUM"],
            "args": FLAGS + [f"--user-data-dir={self.profile}/profile"],
            "prefs": {"profile.managed_default_content_settings.javascript": 1 if self.javascript else 2},
        }
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "unhandledPromptBehavior": "accept"}
        made = self._call("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self.base += "/" + made["sessionId"]
        self.version = made["capabilities"]["browserVersion"]

    def __exit__(self, *_):
        try:
            self._call("DELETE", "")
        except Exception:
            pass
        self.driver.terminate()
        self.driver.wait()
        self.driver.stdout.close()
        self.log.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=4 * PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as refused:
            value = json.load(refused)["value"]
            raise DriverError(value["error"], value["message"].splitlines()[0]) from None

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def back(self):
        self._call("POST", "/back", {})

    def reload(self):
        self._call("POST", "/refresh", {})

    def source(self):
        return self._call("GET", "/source")

    def url(self):
        return self._call("GET", "/url")

    def find(self, selector):
        """The element, which may still be on its way."""
        return self.wait(lambda: self._call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT],
                         f"the element {selector}")

    def has(self, selector):
        return bool(self._call("POST", "/elements", {"using": "css selector", "value": selector}))

    def text(self, selector):
        return self.wait(lambda: self._call("GET", f"/element/{self.find(selector)}/text"), f"the text of {selector}")

    def value(self, selector):
        return self._call("GET", f"/element/{self.find(selector)}/property/value")

    def type(self, selector, text):
        element = self.find(selector)
        self._call("POST", f"/element/{element}/clear", {})
        self._call("POST", f"/element/{element}/value", {"text": text})

    def click(self, selector, times=1):
        """Moves the mouse there and presses its button, `times` times in a row as fast as a hand does it."""
        press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0},
                 {"type": "pause", "duration": BETWEEN_CLICKS_MS}]

        def try_to():
            over = {"type": "pointerMove", "duration": 0, "origin": {ELEMENT: self.find(selector)}, "x": 0, "y": 0}
            mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
                     "actions": [over] + press * times}
            self._call("POST", "/actions", {"actions": [mouse]})
            return True

        # The page may be replaced between finding and moving. Then nothing was pressed: the move comes first.
        self.wait(try_to, f"a place to click at {selector}")

    def wait(self, ask, what):
        """What `ask` returns, once it is something; pages that come and go in the meantime do not matter."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                found = ask()
                if found:
                    return found
                problem = "not there"
            except DriverError as error:
                problem = str(error)
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {what}: {problem}; the page is {self.url()}\n{self.source()}")
            time.sleep(0.02)
