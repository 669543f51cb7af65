"""Receives the API server's audit webhook batches and writes them down, one EventList a line."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from range.sandbox import RangeError

# Runs on the control plane's host, in its network namespace; hence a program of its own.
_PROGRAM = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(sys.argv[1], "ab") as out:
            out.write(body.replace(b"\\n", b"") + b"\\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass

HTTPServer(("127.0.0.1", 8081), Handler).serve_forever()
"""


class Receiver:
    """Writes what it receives to `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, before: list[str]) -> None:
        """Listen; `before` are the words that put a command on the right host.

        Raises:
            RangeError: it did not start.
        """
        self._process = subprocess.Popen([*before, sys.executable, "-c", _PROGRAM, str(self.path)])
        time.sleep(0.3)
        if self._process.poll() is not None:
            raise RangeError("the audit webhook's receiver did not start")

    def stop(self) -> None:
        """Stop listening."""
        if self._process:
            self._process.kill()
