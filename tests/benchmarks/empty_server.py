"""An API of one empty POST with the body of an order: what this stack can do at all.

python -m tests.benchmarks.empty_server PORT
"""

import asyncio
import sys

import uvicorn
from fastapi import FastAPI, Response

from kit.http.once import model_bytes
from kit.loop import run
from order.placing.schemas import OrderCreate

app = FastAPI(openapi_url=None)


@app.post("/empty", status_code=201, response_model=OrderCreate)
async def empty(body: OrderCreate) -> Response:
    return Response(model_bytes(body), status_code=201, media_type="application/json")


async def main() -> None:
    config = uvicorn.Config(
        app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="error"
    )
    server = asyncio.create_task(uvicorn.Server(config).serve())
    await server


if __name__ == "__main__":
    run(main())
