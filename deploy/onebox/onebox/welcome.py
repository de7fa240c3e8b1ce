"""The words after a successful start: where things are and what to try."""

import json

from onebox.home import Home

_TRY = """\
Try:
  make demo                                   sell 30 orders and watch them
  curl -s -H 'Authorization: Bearer {key}' \\
       {vault}/v1/pools                       what is in stock
  make status                                 what runs      (in another terminal)
  make stop                                   end it         (or Ctrl-C in its terminal)
"""


def welcome(home: Home) -> str:
    """The text about the set that runs on this home.

    It holds the demo key, so it goes to a terminal and into no file.
    """
    state, demo = home.read_state(), json.loads(home.demo.read_text())
    lines = ["", f"Lockstock is ready ({state['seconds']:.1f} s).", ""]
    for name, url in state["base_urls"].items():
        lines.append(f"  {name:<16} {url:<24} docs {url}/docs")
    lines += ["", f"  PostgreSQL       {state['postgres']}", f"  Kafka            {state['kafka']}"]
    lines += [
        "",
        f"  demo merchant    {demo['merchant_id']}",
        f"  API key          {demo['api_key']}",
    ]
    lines += [f"                   (also in {home.demo})", ""]
    vault = state["base_urls"]["inventory-vault"]
    return "\n".join([*lines, _TRY.format(key=demo["api_key"], vault=vault)])
