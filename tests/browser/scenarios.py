# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""What people do to an order form, in a real browser: each time one order comes out.

Called by the script `run` beside it, which explains the arguments.
"""

import os
import signal
import subprocess
import sys

from lossy_proxy import LossyProxy
from webdriver import Browser

SLOW_MS = 2500  # so that the order is still in progress when the next click arrives, on a busy machine, too


class Play:
    def __init__(self, browser, proxy, dsn, javascript):
        self.browser = browser
        self.proxy = proxy
        self.dsn = dsn
        self.javascript = javascript

    def ask(self, sql):
        command = ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.dsn, "-c", sql]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def orders(self):
        return int(self.ask("select count(*) from web_shop.orders"))

    def fill(self, quantity="2"):
        self.browser.type("#quantity", quantity)
        self.browser.type("#name", "Zoë <b>O'Neill</b>")

    def open_and_fill(self):
        self.browser.open(self.proxy.url)
        self.fill()

    def sees_order(self, number="A-0001"):
        shown = self.browser.text("#number")
        assert shown == number, f"the page shows {shown}, not {number}"

    def check(self, orders=1, at_least_posts=1):
        """The database has so many orders, and the shop was really asked so often."""
        # A cancelled request is answered, too: wait for it, so that a late second order would be seen.
        self.browser.wait(lambda: len(self.proxy.posts) >= at_least_posts, f"{at_least_posts} requests to order")
        self.browser.wait(lambda: self.ask("select count(*) from pg_stat_activity where datname = current_database() "
                                           "and state <> 'idle' and pid <> pg_backend_pid()") == "0", "quiet")
        found = self.orders()
        assert found == orders, f"{found} orders instead of {orders}"
        records = int(self.ask("select count(*) from once.idempotency_record"))
        assert records == orders, f"{records} records instead of {orders}"
        with_key = set(self.proxy.posts)
        assert with_key == {self.javascript}, f"Idempotency-Key headers: {self.proxy.posts}"


def one_click(play):
    play.open_and_fill()
    play.browser.click("#send")
    play.sees_order()
    play.check()
    assert "Zoë &lt;b&gt;O'Neill&lt;/b&gt;" in play.browser.source(), "the name is not shown as it was typed"


def double_click(play):
    play.open_and_fill()
    play.browser.click("#send", times=2)
    play.sees_order()
    play.check(at_least_posts=2)


def impatient_clicks(play):
    play.open_and_fill()
    play.browser.click("#send", times=5)
    play.sees_order()
    play.check(at_least_posts=3)


def slow_order(play):
    """The second click does not want to wait for the first, and is told to ask again."""
    play.open_and_fill()
    play.browser.click("#send", times=2)
    if not play.javascript:
        assert "being placed" in play.browser.text("#message")
        play.browser.wait(lambda: play.orders() == 1, "the first click's order")
        play.browser.click("#send")
    play.sees_order()
    play.check(at_least_posts=3)
    assert 409 in play.proxy.statuses, "the second click did wait"


def back_and_resubmit(play):
    play.open_and_fill()
    key = play.browser.value("[name=key]")
    play.browser.click("#send")
    play.sees_order()
    for _ in range(2):
        play.browser.back()
        assert play.browser.value("[name=key]") == key, "the browser shows another form"
        play.fill()
        play.browser.click("#send")
        play.sees_order()
    play.check(at_least_posts=3)


def back_change_and_resubmit(play):
    play.open_and_fill()
    play.browser.click("#send")
    play.sees_order()
    play.browser.back()
    play.fill(quantity="3")
    play.browser.click("#send")
    where, what = ("#status", "different request") if play.javascript else ("#message", "other contents")
    play.browser.wait(lambda: what in play.browser.text(where), "a word about it")
    assert play.proxy.statuses == [303, 422], play.proxy.statuses
    play.check(at_least_posts=2)
    assert play.ask("select quantity from web_shop.orders") == "2"


def reload_after_post(play):
    play.open_and_fill()
    play.browser.click("#send")
    play.sees_order()
    for _ in range(3):
        play.browser.reload()
        play.sees_order()
    play.check()
    assert len(play.proxy.posts) == 1, "a reload sent the form again"


def lost_reply(play):
    play.open_and_fill()
    if play.javascript:
        play.proxy.lose(3)
        play.browser.click("#send")  # the script asks again by itself
    else:
        play.proxy.lose(1000)
        play.browser.click("#send")
        play.browser.wait(lambda: not play.browser.has("#send"), "the browser's page about a lost reply")
        assert play.orders() == 1, "the order was not placed before the reply got lost"
        play.proxy.lose(0)
        play.browser.reload()  # sends the form again
    play.sees_order()
    assert play.proxy.lost >= 1
    play.check(at_least_posts=2)


def lost_reply_then_back(play):
    play.open_and_fill()
    play.proxy.lose(1000)
    play.browser.click("#send")
    play.browser.wait(lambda: play.proxy.lost >= 1, "a lost reply")
    if not play.javascript:
        play.browser.wait(lambda: not play.browser.has("#send"), "the browser's page about a lost reply")
        play.browser.back()
        play.fill()
        play.proxy.lose(0)
        play.browser.click("#send")
    else:
        # The page repeats by itself, so an impatient click comes while replies are still being lost.
        play.browser.click("#send")
        play.proxy.lose(0)
    play.sees_order()
    play.check(at_least_posts=2)


def new_form_is_a_new_order(play):
    """The opposite, without which the others would prove little: who wants a second order gets one."""
    play.open_and_fill()
    play.browser.click("#send")
    play.sees_order("A-0001")
    play.browser.click("#new")
    play.fill()
    play.browser.click("#send")
    play.browser.wait(lambda: play.browser.text("#number") == "A-0002", "the second order")
    play.check(orders=2, at_least_posts=2)


SLOW = {double_click: ["--slow-ms", str(SLOW_MS)],
        impatient_clicks: ["--slow-ms", str(SLOW_MS)],
        slow_order: ["--slow-ms", str(SLOW_MS), "--wait-ms", "100"]}


def serve(program, dsn, options):
    server = subprocess.Popen([program, dsn, *options], stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().strip()
    if not url:
        raise RuntimeError(f"the web shop did not start: status {server.wait()}")
    return server, url


def main():
    program, dsn, name, javascript = sys.argv[1:]
    scenario = globals()[name.replace(" ", "_").replace(",", "")]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    server, url = serve(program, dsn, SLOW.get(scenario, []))
    try:
        with LossyProxy(url) as proxy, Browser(javascript == "on") as browser:
            play = Play(browser, proxy, dsn, javascript == "on")
            scenario(play)
            print(f"{name}, JavaScript {javascript}: {play.orders()} order(s) from {len(proxy.posts)} request(s), "
                  f"{proxy.lost} answer(s) lost, statuses {proxy.statuses}, Chromium {browser.version}")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
