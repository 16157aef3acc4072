#!/usr/bin/env python3
"""A web server with bad manners, for tests: python3 http_server.py ROOT [--tls CERTIFICATE KEY]

Listens on a free port of 127.0.0.1 and prints it. Ends when its standard input closes, at the
latest after five minutes. The path says how it behaves; NAME is a file below ROOT:

    /NAME               the file, with byte ranges; a folder gives index.json to a client that
                        accepts JSON, else index.html
    /cut/BYTES/NAME     the connection ends after so many bytes of each answer
    /cutonce/BYTES/NAME the same, for the first answer only
    /norange/NAME       the whole file, whatever was asked
    /badrange/NAME      a range, but from the file's beginning
    /gzip/NAME          compressed, where the client accepts it
    /status/CODE/NAME   that status
    /flaky/TIMES/NAME   503 so many times, then the file
    /loop               redirects to itself
    /hop/TIMES/NAME     redirects so many times, then the file
    /to?URL             redirects to URL
    /silent             accepts, never answers
    /stall/BYTES/NAME   so many bytes, then silence
    /endless            a body without length that does not end
    /gated/NAME         401 without a token, 403 with another than TOKEN, else the file
    /lfs/PORT/NAME      the same, but weights redirect to http://127.0.0.1:PORT/NAME
    /tokens             the requests with an Authorization header so far: their paths
    /log                the requests so far: path, a blank, the Range header or "-"
"""

import gzip
import http.server
import os
import ssl
import sys
import threading
import time

TOKEN = "hf_right"
LIFETIME_S = 300
STALL_S = 20


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root = "."
    log = []
    with_token = []
    counts = {}
    lock = threading.Lock()

    def log_message(self, *args):
        pass

    def times_seen(self):
        with self.lock:
            self.counts[self.path] = self.counts.get(self.path, 0) + 1
            return self.counts[self.path]

    def answer(self, status, body=b"", headers=None, length=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, target):
        self.answer(302, b"moved", {"Location": target})

    def file(self, name):
        """The bytes and the type of a file below the root; None where there is none."""
        path = os.path.join(self.root, *name.split("/"))
        kind = "application/octet-stream"
        if os.path.isdir(path):
            wants_json = "json" in self.headers.get("Accept", "")
            json_page = os.path.join(path, "index.json")
            if wants_json and os.path.exists(json_page):
                path, kind = json_page, "application/vnd.pypi.simple.v1+json"
            else:
                path, kind = os.path.join(path, "index.html"), "text/html; charset=utf-8"
        if not os.path.isfile(path):
            return None, kind
        with open(path, "rb") as file:
            return file.read(), kind

    def send_file(self, name, cut=None, ranges=True, bad_range=False, stall=None):
        body, kind = self.file(name)
        if body is None:
            return self.answer(404, b"not here")
        headers, status, whole = {"Content-Type": kind}, 200, len(body)
        asked = self.headers.get("Range", "")
        if ranges and asked.startswith("bytes=") and asked.endswith("-"):
            start = int(asked[len("bytes="):-1])
            if start >= whole:
                return self.answer(416, b"no such range", {"Content-Range": f"bytes */{whole}"})
            start = 0 if bad_range else start
            headers["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"
            body, status = body[start:], 206
        sent = body if cut is None else body[:cut]
        self.answer(status, sent, headers, length=len(body))
        if stall is not None:
            self.wfile.flush()
            time.sleep(STALL_S)
        if len(sent) < len(body):
            self.close_connection = True

    def send_endless(self):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            pass

    def send_gated(self, name, elsewhere=None):
        token = self.headers.get("Authorization")
        if token != f"Bearer {TOKEN}":
            return self.answer(403 if token else 401, b"an error page")
        return self.redirect(elsewhere) if elsewhere else self.send_file(name)

    def do_GET(self):
        path, _, query = self.path[1:].partition("?")
        if path == "log":
            return self.answer(200, "\n".join(self.log).encode())
        if path == "tokens":
            return self.answer(200, "\n".join(self.with_token).encode())
        with self.lock:
            if "Authorization" in self.headers:
                self.with_token.append(f"/{path}")
            self.log.append(f"/{path} {self.headers.get('Range', '-')}")
        word, _, rest = path.partition("/")
        number, _, name = rest.partition("/")
        if word == "cut":
            return self.send_file(name, cut=int(number))
        if word == "cutonce":
            return self.send_file(name, cut=int(number) if self.times_seen() == 1 else None)
        if word == "stall":
            return self.send_file(name, cut=int(number), stall=True)
        if word == "norange":
            return self.send_file(rest, ranges=False)
        if word == "badrange":
            return self.send_file(rest, bad_range=True)
        if word == "status":
            return self.answer(int(number), b"an error page")
        if word == "flaky":
            if self.times_seen() <= int(number):
                return self.answer(503, b"busy")
            return self.send_file(name)
        if word == "hop":
            left = int(number)
            return self.redirect(f"/hop/{left - 1}/{name}") if left else self.send_file(name)
        if word == "loop":
            return self.redirect("/loop")
        if word == "to":
            return self.redirect(query)
        if word == "silent":
            time.sleep(STALL_S)
            return None
        if word == "gated":
            return self.send_gated(rest)
        if word == "lfs":
            elsewhere = name.endswith((".safetensors", ".gguf"))
            return self.send_gated(name, f"http://127.0.0.1:{number}/{name}" if elsewhere else None)
        if word == "endless":
            return self.send_endless()
        if word == "gzip":
            body, kind = self.file(rest)
            if body is None or "gzip" not in self.headers.get("Accept-Encoding", ""):
                return self.answer(404, b"not here")
            headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
            return self.answer(200, gzip.compress(body), headers)
        return self.send_file(path)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # Clients of these tests hang up.


def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


def main():
    Handler.root = sys.argv[1]
    server = Server(("127.0.0.1", 0), Handler)
    if len(sys.argv) > 2 and sys.argv[2] == "--tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=end_with_parent, daemon=True).start()
    threading.Timer(LIFETIME_S, lambda: os._exit(0)).start()
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
