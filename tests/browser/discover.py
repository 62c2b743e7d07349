#!/usr/bin/env python3
"""Opens what `ekk up --local` and `ekk dashboards` print in headless Chromium, as a person would.

Usage: tests/browser/discover.py PATH_OF_EKK

Needs chromium and chromedriver (Debian: chromium, chromium-driver) and nothing of Python but its standard library. Ends with
0 and one line when all held, with 1 at the first thing that did not, and with 77 where there is no browser to try it in.
EKK_SCREENSHOTS=FOLDER keeps pictures.
"""

import base64
import datetime
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

ZONE = "Australia/Brisbane"
OFFSET = datetime.timezone(datetime.timedelta(hours=10))
PATIENCE_SECONDS = 60
NO_BROWSER = 77
PROJECT = pathlib.Path(__file__).resolve().parents[2]

# What a record must never become.
SCRIPTS = [
    "<script>window.broken = 1</script>",
    "<img src=x onerror='window.broken = 2'>",
    "\"><svg onload=\"window.broken = 3\">",
    "</td></tr></table><iframe srcdoc='<script>parent.broken = 4</script>'></iframe>",
]


class Failed(Exception):
    """Something did not hold."""


def must(condition, what):
    if not condition:
        raise Failed(what)


def until(what, question):
    """Asks until there is an answer; never sleeps longer than it takes to ask again."""
    end = time.monotonic() + PATIENCE_SECONDS
    last = None
    while time.monotonic() < end:
        try:
            answer = question()
            if answer:
                return answer
        except (WebDriverError, urllib.error.URLError) as error:
            last = error
        time.sleep(0.05)
    raise Failed(f"not within {PATIENCE_SECONDS} s: {what}" + (f" ({last})" if last else ""))


class WebDriverError(Exception):
    """What chromedriver answers when something is wrong."""


class Browser:
    """The few calls of W3C WebDriver that are needed."""

    def __init__(self, chromedriver, chromium, profile):
        environment = {**os.environ, "TZ": ZONE}
        self.process = subprocess.Popen(
            [chromedriver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        for line in self.process.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                break
        else:
            raise Failed("chromedriver did not start")
        self.base = f"http://127.0.0.1:{found[1]}"
        arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--window-size=1280,900",
        ]
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        self.session = ""
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.session = f"/session/{answer['sessionId']}"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.base + self.session + path, data, {"content-type": "application/json"}, method=method
        )
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            told = json.load(error)["value"]
            raise WebDriverError(f"{told.get('error')}: {told.get('message')}") from None

    def open(self, address):
        self.call("POST", "/url", {"url": address})

    def address(self):
        return self.call("GET", "/url")

    def run(self, script, *arguments):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script, *arguments):
        return self.call("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def text(self, selector):
        return self.run("const found = document.querySelector(arguments[0]); return found && found.innerText;", selector)

    def count(self, selector):
        return self.run("return document.querySelectorAll(arguments[0]).length;", selector)

    def press(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        body = {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}
        self.call("POST", "/actions", body)

    def devtools(self, command, **parameters):
        self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def complaints(self):
        entries = self.call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def picture(self, name):
        folder = os.environ.get("EKK_SCREENSHOTS")
        if folder:
            path = pathlib.Path(folder) / f"{name}.png"
            path.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def quit(self):
        try:
            if self.session:
                self.call("DELETE", "")
        except (WebDriverError, urllib.error.URLError):
            pass
        self.process.terminate()
        self.process.wait()


class Ekk:
    """The binary, in a folder and with a home of its own."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        home = folder / "home"
        home.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        self.environment = {**kept, "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}

    def start(self, *words):
        return subprocess.Popen(
            [self.program, *words], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )

    def run(self, *words):
        process = self.start(*words)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        must(process.returncode == 0, f"ekk {' '.join(words)} ended with {process.returncode}:\n{out}{err}")
        return out


class Digits(list):
    """A list of numbers that JSON shall hold with these digits."""


def send(endpoint, records):
    """Puts records into the stream as any SDK does; the local AWS checks no signature."""
    def written(record):
        text = json.dumps({name: name if isinstance(value, Digits) else value for name, value in record.items()})
        for name, value in record.items():
            if isinstance(value, Digits):
                text = text.replace(f': "{name}"', f": [{', '.join(value)}]")
        return text + "\n"

    lines = [{"Data": base64.b64encode(written(record).encode()).decode()} for record in records]
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": "Firehose_20150804.PutRecordBatch",
        "x-amz-date": "20260101T000000Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=ekklocal/20260101/us-east-1/firehose/aws4_request, "
                         "SignedHeaders=host, Signature=00",
    }
    body = json.dumps({"DeliveryStreamName": "logging-test", "Records": lines}).encode()
    request = urllib.request.Request(endpoint, body, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        must(json.load(answer)["FailedPutCount"] == 0, "a record was refused")


def record(when, level, message, **more):
    return {"asctime": when.isoformat(timespec="milliseconds"), "levelname": level, "name": "shop.checkout",
            "message": message, **more}


def status(endpoint, **headers):
    """The status of a GET that is no browser's."""
    request = urllib.request.Request(endpoint, headers=headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def found(browser, number):
    """Waits until the page says that so many records fit."""
    word = "1 record" if number == 1 else f"{number} records"
    return until(word, lambda: (browser.text("#status") or "").split(",")[0] == word)


def choose(browser, selector, value):
    browser.run(
        "const one = document.querySelector(arguments[0]); one.value = arguments[1];"
        "one.dispatchEvent(new Event('change', {bubbles: true}));", selector, value)


def search(browser, text):
    browser.run("document.querySelector('#query').value = arguments[0];"
                "document.querySelector('#controls').requestSubmit();", text)


def discover(browser, address, endpoint, now):
    """The page of the local AWS."""
    browser.open(address)
    until("the page says that nothing has arrived",
          lambda: "No record has arrived in logging-test-* yet." in (browser.text("#notice") or ""))
    must("not OpenSearch Dashboards" in browser.text(".honest"), "the page does not say what it is")
    browser.picture("1-empty")

    minutes = lambda number: now - datetime.timedelta(minutes=number)
    trace = 'Traceback (most recent call last):\n  File "shop.py", line 7, in pay\nValueError: card declined'
    send(endpoint, [
        record(minutes(1), "INFO", "order 4711 paid", order=4711, customer={"city": "Zürich", "vip": True}),
        record(minutes(2), "ERROR", "payment failed", exc_info=trace, order=4712),
        record(minutes(3), "WARNING", SCRIPTS[0], **{"field " + SCRIPTS[1]: SCRIPTS[2], "html": SCRIPTS[3]}),
        record(minutes(4), SCRIPTS[1], "the level is markup", **{"__proto__": {"polluted": SCRIPTS[0]}}),
        record(minutes(150), "DEBUG", "an old one"),
    ])
    # Live: nobody presses anything.
    browser.run("document.querySelector('#live').click();")
    found(browser, 4)
    browser.run("document.querySelector('#live').click();")
    until("the notice is gone", lambda: browser.run("return document.querySelector('#notice').hidden;"))
    must(browser.run("return document.querySelector('#pattern').selectedOptions[0].text;") == "logging-test-*",
         "the index pattern is not chosen")
    browser.picture("2-records")

    # Newest first, in the browser's own zone.
    must(browser.text("#time-head") == f"Time ({ZONE})", browser.text("#time-head"))
    shown = browser.run("return [...document.querySelectorAll('tr.record td.time')].map((cell) => cell.innerText);")
    wanted = [minutes(number).astimezone(OFFSET).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] for number in (1, 2, 3, 4)]
    must(shown == wanted, f"{shown} instead of {wanted}")

    # What records hold is text and nothing else.
    must(browser.run("return window.broken === undefined && ({}).polluted === undefined;"), "a record ran as a script")
    must(browser.count("#rows script, #rows img, #rows svg, #rows iframe") == 0, "a record became markup")
    rows = browser.text("#rows")
    for text in [SCRIPTS[0], SCRIPTS[1], SCRIPTS[2]]:
        must(text in rows, f"not shown as it is: {text}")

    # Unfolded with the keyboard alone.
    browser.run("document.querySelector('tr.record:nth-of-type(3) button').focus();")
    browser.press("\ue007")
    until("the record is unfolded", lambda: browser.count("tr.whole:not([hidden])") == 1)
    whole = browser.text("tr.whole:not([hidden])")
    must(trace in whole and "4712" in whole and "_index" in whole, whole)
    must(browser.run("return document.activeElement.getAttribute('aria-expanded');") == "true", "it does not say so")
    browser.picture("3-unfolded")
    browser.press("\ue004", "\ue004", "\ue007")
    until("it is shown as JSON", lambda: '"_source"' in (browser.text("tr.whole pre") or ""))
    must(json.loads(browser.text("tr.whole pre"))["_source"]["order"] == 4712, "it is not the record")
    browser.picture("4-json")

    # Text, fields, time.
    search(browser, "payment failed")
    found(browser, 1)
    search(browser, "levelname:ERROR OR levelname:INFO")
    found(browser, 2)
    search(browser, '"order 4711"')
    found(browser, 1)
    must("customer.city" in browser.text("#rows") and "Zürich" in browser.text("#rows"), browser.text("#rows"))
    search(browser, "no such word")
    until("it says that nothing fits", lambda: "No record fits." in (browser.text("#notice") or ""))
    must(f"The newest of all is of {wanted[0]}." in browser.text("#notice"), browser.text("#notice"))
    browser.picture("5-nothing-fits")
    browser.run("document.querySelector('#notice button').click();")
    found(browser, 5)
    choose(browser, "#range", "60")
    found(browser, 4)
    choose(browser, "#range", "between")
    local = lambda when: when.astimezone(OFFSET).strftime("%Y-%m-%dT%H:%M:%S")
    browser.run("document.querySelector('#from').value = arguments[0]; document.querySelector('#to').value = arguments[1];"
                "document.querySelector('#controls').requestSubmit();", local(minutes(200)), local(minutes(100)))
    found(browser, 1)
    must("an old one" in browser.text("#rows"), browser.text("#rows"))
    # The view stands in the address and survives a reload.
    browser.call("POST", "/refresh", {})
    found(browser, 1)
    must("an old one" in browser.text("#rows"), browser.text("#rows"))

    # From and To the wrong way round.
    browser.run("document.querySelector('#from').value = arguments[0]; document.querySelector('#to').value = arguments[1];"
                "document.querySelector('#controls').requestSubmit();", local(minutes(100)), local(minutes(200)))
    until("it says why", lambda: browser.text("#notice") == "From is later than To, so no record can fit.")
    must(browser.text("#status") == "Not searched", browser.text("#status"))

    # A search that the engine refuses is told in its words.
    choose(browser, "#range", "60")
    found(browser, 4)
    search(browser, 'message:"')
    until("the engine's reason is shown", lambda: browser.count("#notice.bad") == 1)
    browser.picture("6-refused")
    browser.complaints()

    # More than one page.
    send(endpoint, [record(minutes(300), "INFO", f"many {number}") for number in range(150)])
    search(browser, "many")
    choose(browser, "#range", "all")
    until("150 are found", lambda: browser.text("#status") == "150 records, the newest 100 shown"
          or browser.run("document.querySelector('#search').click();"))
    shows_more = "return !document.querySelector('#more').hidden;"
    must(browser.run(shows_more), "there is no way to the older ones")
    search(browser, 'message:"')
    until("the engine's reason is shown", lambda: browser.count("#notice.bad") == 1)
    must(not browser.run(shows_more), "there is a way to older records than none")
    search(browser, "many")
    until("150 are found again", lambda: browser.text("#status") == "150 records, the newest 100 shown")
    browser.run("document.querySelector('#more').click();")
    until("all are shown", lambda: browser.count("tr.record") == 150)
    browser.complaints()

    future_and_digits(browser, endpoint, minutes)
    what_is_under_way(browser)
    address_of_nothing(browser, address)

    browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    search(browser, "")
    choose(browser, "#range", "60")
    found(browser, 5)
    browser.picture("7-dark")
    browser.devtools("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=False)
    browser.picture("8-narrow")
    must(browser.run("return document.documentElement.scrollWidth <= innerWidth;"), "a narrow page scrolls sideways")
    browser.devtools("Emulation.clearDeviceMetricsOverride")
    browser.devtools("Emulation.setEmulatedMedia", features=[])
    must(browser.complaints() == [], browser.complaints())


def future_and_digits(browser, endpoint, minutes):
    """What is of the future is not of the last minutes; what a record holds is shown as it is."""
    digits = ["9007199254740993", "-9223372036854775808", "12"]
    send(endpoint, [
        record(minutes(-30), "INFO", "strange of the future"),
        record(minutes(5), "INFO", "strange \u202eturned", after="in order", big=Digits(digits)),
    ])
    search(browser, "strange")
    choose(browser, "#range", "all")
    until("both are found", lambda: (browser.text("#status") or "") == "2 records"
          or browser.run("document.querySelector('#search').click();"))
    choose(browser, "#range", "15")
    found(browser, 1)
    must("of the future" not in browser.text("#rows"), browser.text("#rows"))
    search(browser, "strange AND future")
    until("the newest is told to be of the future", lambda: "which is in the future" in (browser.text("#notice") or ""))
    search(browser, "strange")
    found(browser, 1)

    # Each letter of the value behind the one that turns the direction is right of the one before.
    lefts = browser.run("""
      const value = [...document.querySelectorAll(".summary .value")].find((one) => one.innerText === "in order").firstChild;
      return [0, 1].map((at) => { const range = document.createRange(); range.setStart(value, at); range.setEnd(value, at + 1);
        return range.getBoundingClientRect().left; });""")
    must(lefts[0] < lefts[1], "a record's text turns the field behind it")
    must(f"[{','.join(digits)}]" in browser.text("#rows"), browser.text("#rows"))
    browser.run("document.querySelector('tr.record button').click();")
    must(f"[{','.join(digits)}]" in browser.text("tr.whole .fields"), browser.text("tr.whole"))
    browser.run("document.querySelectorAll('.tools button')[1].click();")
    whole = browser.text("tr.whole pre")
    must(all(f" {one}" in whole for one in digits), whole)
    must("\\u202eturned" in whole and "\u202e" not in whole, whole)
    must(json.loads(whole)["_source"]["message"] == "strange \u202eturned", "it is not the record")
    browser.picture("6a-digits")


def what_is_under_way(browser):
    """A search that takes its time says so; a live page survives one that fails."""
    browser.run("""
      window.own = fetch; window.open = [];
      window.fetch = (...all) => new Promise((resolve, reject) => { window.open.push([all, resolve, reject]); });
      document.querySelector("#search").click();""")
    must(browser.text("#status") == "Searching …", browser.text("#status"))
    must(browser.run("return document.querySelector('main').getAttribute('aria-busy');") == "true", "it does not wait")
    browser.run("for (const [all, resolve, reject] of window.open.splice(0)) window.own(...all).then(resolve, reject);"
                "window.fetch = window.own;")
    found(browser, 1)
    must(browser.run("return document.querySelector('main').getAttribute('aria-busy');") == "false", "it still waits")
    must(browser.count("tr.whole:not([hidden])") == 1, "the record was folded")

    browser.run("document.querySelector('#live').click();")
    found(browser, 1)
    browser.run("window.fetch = () => Promise.reject(new TypeError());")
    until("the poll failed", lambda: browser.count("#notice.bad") == 1 and not browser.run(
        "return document.querySelector('#notice').hidden;"))
    must(browser.text("#status") == "Not searched: the records below are older", browser.text("#status"))
    must(browser.count("tr.whole:not([hidden])") == 1, "a poll that failed folds the records")
    browser.run("window.fetch = window.own;")
    found(browser, 1)
    must(browser.count("tr.whole:not([hidden])") == 1, "a poll after one that failed folds the records")
    browser.run("document.querySelector('#live').click();")
    found(browser, 1)


def address_of_nothing(browser, address):
    """An address that names another pattern is told, and stays told while records are shown."""
    # From another page, since the page that is open would take the new address in and put a right one in its place.
    browser.open("about:blank")
    browser.open(address + "app/discover#/?_a=(index:'strange')&range=all")
    until("the records are there", lambda: browser.count("tr.record") > 0)
    warning = "The address names an index pattern that is not here: strange"
    must(browser.text("#warning") == warning, browser.text("#warning"))
    choose(browser, "#pattern", browser.run("return document.querySelector('#pattern').value;"))
    must(browser.run("return document.querySelector('#warning').hidden;"), "it stays after a choice")


class Quiet(http.server.BaseHTTPRequestHandler):
    """A page of somebody else's on another port of this machine."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>foreign</title>")

    def log_message(self, *_):
        pass


STEAL = """
const [address, done] = arguments;
(async () => {
  const told = {};
  const search = address + "internal/search/opensearch";
  const body = '{"params":{"index":"*","body":{}}}';
  for (const [name, target, options] of [
    ["get", address + "app/discover", {}],
    ["post", search, {method: "POST", body}],
    ["signed", search, {method: "POST", body, headers: {"osd-xsrf": "1", "content-type": "application/json"}}],
    ["cookies", address + "api/status", {credentials: "include"}],
  ]) {
    try { told[name] = (await fetch(target, options)).status; } catch { told[name] = "refused"; }
  }
  const frame = document.createElement("iframe");
  const loaded = new Promise((resolve) => { frame.onload = resolve; });
  frame.src = address + "app/discover";
  document.body.append(frame);
  await loaded;
  try { told.frame = frame.contentDocument ? "readable" : "refused"; } catch { told.frame = "refused"; }
  done(told);
})();
"""


def foreign_pages(browser, address):
    """Another page of this machine reads nothing, although a browser sends it there with all cookies."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        browser.open(f"http://127.0.0.1:{server.server_port}/")
        told = browser.run_async(STEAL, address)
        must(set(told.values()) == {"refused"} and len(told) == 5, f"{address}: {told}")
    finally:
        server.shutdown()
    browser.complaints()


def through_the_proxy(browser, ekk, now):
    """`ekk dashboards`: the same page behind the signing proxy, which lets in who has the address."""
    process = ekk.start("dashboards", "--local", "--no-open", "--read-only", "logging-test.yaml")
    try:
        address = process.stdout.readline().strip()
        must(re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[0-9a-f]{32}", address), address)
        door = address.split("?")[0]
        must(status(door + "_dashboards/app/discover") == 403, "it lets in who has no token")
        browser.open(door + "_dashboards/app/discover")
        must("Not let in" in browser.text("h1"), browser.text("body"))
        browser.picture("9-not-let-in")
        browser.complaints()
        browser.open(address)
        must("token" not in browser.address(), f"the token stays in the address: {browser.address()}")
        found(browser, 5)
        must("order 4711 paid" in browser.text("#rows"), browser.text("#rows"))
        must(browser.run("return document.cookie;") == "", "a script can read the cookie")
        browser.picture("10-through-the-proxy")
        must(browser.complaints() == [], browser.complaints())
        foreign_pages(browser, door + "_dashboards/")
        # The page that a person sees where the domain is silent; that of expired credentials is made the same way.
        ekk.run("local", "stop")
        browser.open(door + "_dashboards/app/discover")
        must(browser.text("h1") == "The domain does not answer", browser.text("body"))
        browser.picture("11-no-answer")
        process.send_signal(signal.SIGINT)
        must(process.wait(timeout=PATIENCE_SECONDS) == 0, f"Ctrl-C: {process.returncode}\n{process.stderr.read()}")
    finally:
        process.kill()
        process.communicate()


def main():
    program = os.path.abspath(sys.argv[1])
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        print("NOT PROVED: the pages in a browser (no chromium and chromedriver here; Debian: chromium, chromium-driver)")
        return NO_BROWSER
    browser = ekk = None
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        try:
            ekk = Ekk(program, folder)
            shutil.copy(PROJECT / "stacks" / "logging-test.yaml", folder)
            up = ekk.run("up", "--local", "logging-test.yaml")
            address = re.search(r"^ +(http://\S+/_dashboards/\S+)$", up, re.MULTILINE)
            must(address, f"`ekk up --local` prints no address:\n{up}")
            must(address[1] in ekk.run("status", "--local", "logging-test.yaml"), "`ekk status` prints another one")
            endpoint = re.match(r"http://[^/]+", address[1])[0]
            must(status(f"{endpoint}/domain/us-east-1/logging-test/_dashboards/app/discover") == 403,
                 "the domain's own address lets in who does not sign")
            must(status(address[1], host="rebound.example.com") == 403, "the page answers to another name")
            browser = Browser(chromedriver, chromium, folder / "profile")
            now = datetime.datetime.now(datetime.timezone.utc)
            now = now.replace(microsecond=now.microsecond // 1000 * 1000)
            discover(browser, address[1], endpoint, now)
            foreign_pages(browser, address[1])
            through_the_proxy(browser, ekk, now)
        except Failed as failure:
            if browser:
                browser.picture("failed")
            # What did not hold may be an empty text, so where it was asked is told, too.
            frames = traceback.extract_tb(failure.__traceback__)
            line = [frame.lineno for frame in frames if frame.name not in ("must", "until", "found")][-1]
            print(f"FAILED: the pages in a browser: {str(failure) or 'an empty text'} (discover.py, line {line})")
            return 1
        finally:
            if browser:
                browser.quit()
            if ekk:
                subprocess.run([program, "local", "stop"], cwd=folder, env=ekk.environment, check=False,
                               stderr=subprocess.DEVNULL)
    print("the pages in a browser: all held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
