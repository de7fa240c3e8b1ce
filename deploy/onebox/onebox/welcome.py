"""The words after a successful start: where things are and what to try."""

from onebox.supervisor import Onebox

_TRY = """\
Try:
  make demo                                   sell 30 orders and watch them
  curl -s -H 'Authorization: Bearer {key}' \\
       {vault}/v1/pools                       what is in stock
  make status                                 what runs      (in another terminal)
  make stop                                   end it         (or Ctrl-C here)
"""


def welcome(box: Onebox, seconds: float) -> str:
    """The text; it holds the demo key, so it goes to the terminal and into no file."""
    key = str(box.demo.get("api_key", ""))
    lines = ["", f"Lockstock is ready ({seconds:.1f} s).", ""]
    for name, url in box.base_urls.items():
        lines.append(f"  {name:<16} {url:<24} docs {url}/docs")
    lines += ["", f"  PostgreSQL       {_without_password(box.wiring.admin_url)}"]
    lines += [f"  Kafka            {box.wiring.kafka_bootstrap}"]
    lines += ["", f"  demo merchant    {box.demo.get('merchant_id', '')}"]
    lines += [f"  API key          {key}", f"                   (also in {box.home.demo})", ""]
    lines.append(_TRY.format(key=key, vault=box.base_urls["inventory-vault"]))
    return "\n".join(lines)


def _without_password(url: str) -> str:
    return url.rpartition("@")[2]
