"""Takes webhooks, believes none that is not signed, and acts once on each.

LOCKSTOCK_WEBHOOK_SECRET=whsec_... python examples/shop/webhook_receiver.py --port 8080

Only the standard library besides the client: the same few lines fit any web framework.
"""

import argparse
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from lockstock_client import NotGenuine, Webhook, WebhookVerifier

BODY_BYTES_MAX = 100_000


class Receiver(ThreadingHTTPServer):
    """Remembers the ids it has acted on; a real shop keeps them in its database."""

    def __init__(self, port: int, secrets: list[str]) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.verifier = WebhookVerifier(secrets)
        self._seen: set[str] = set()
        self._one_at_a_time = Lock()

    def act_once(self, webhook: Webhook) -> None:
        """The same one may come again, also while it is acted on."""
        with self._one_at_a_time:
            if webhook.id not in self._seen:
                self._act(webhook)
                self._seen.add(webhook.id)

    def _act(self, webhook: Webhook) -> None:
        """A webhook has ids and states only: what else is wanted is read from the API."""
        print(webhook.type, webhook.data.get("order_id", ""), flush=True)


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(min(length, BODY_BYTES_MAX))
        try:
            webhook = self.server.verifier.verify(dict(self.headers), body)
        except NotGenuine:
            self._answer(400)
            return
        self.server.act_once(webhook)
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Bodies and signatures belong in no log."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Receive webhooks.")
    parser.add_argument("--port", type=int, default=8080)
    # Two secrets, separated by a blank, while one is being replaced.
    secrets = os.environ["LOCKSTOCK_WEBHOOK_SECRET"].split()
    with Receiver(parser.parse_args().port, secrets) as receiver:
        receiver.serve_forever()


if __name__ == "__main__":
    main()
