"""A rail that only lists balance transactions, as fast as bytes can be copied.

Belongs here: a server in a process of its own, so that the reader under measure has its interpreter
to itself, and random faults for the soak. Does not belong here: what money means; the simulator is
the double for that.

Object n has the id `txn_<n>`, was created `SPACING` seconds after object n - 1 and is made from a
template when it is asked for. Every other list is empty.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from urllib.parse import parse_qs, urlsplit

FIRST = 1_735_689_600  # 2025-01-01
SPACING = 25
_TEMPLATE = (
    '{"id":"txn_%012d","object":"balance_transaction","amount":%d,"available_on":%d,'
    '"balance_type":"payments","created":%d,"currency":"usd","description":"Charge of an order",'
    '"exchange_rate":null,"fee":%d,"fee_details":[{"amount":%d,"application":null,"currency":"usd",'
    '"description":"Stripe processing fees","type":"stripe_fee"}],"net":%d,'
    '"reporting_category":"charge","source":"ch_3P%016d","status":"available","type":"charge"}'
)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_EMPTY = b'{"object":"list","data":[],"has_more":false,"url":"/"}'
_BALANCE = b'{"object":"balance","available":[],"pending":[],"livemode":false}'
_ACCOUNT = b'{"id":"acct_1Bench","object":"account"}'


def amount_of(number: int) -> tuple[int, int]:
    """Amount and fee of an object."""
    return 1_000 + number % 90_000, 59 + number % 97


def _object(number: int) -> str:
    created = FIRST + number * SPACING
    amount, fee = amount_of(number)
    fields = (number, amount, created + 172_800, created, fee, fee, amount - fee, number)
    return _TEMPLATE % fields


def _page(query: str, objects: int) -> bytes:
    given = {name: values[0] for name, values in parse_qs(query).items()}
    low, high = 0, objects - 1
    if "created[gte]" in given:
        low = max(low, -(-(int(given["created[gte]"]) - FIRST) // SPACING))
    if "created[lt]" in given:
        high = min(high, (int(given["created[lt]"]) - 1 - FIRST) // SPACING)
    if "starting_after" in given:
        high = min(high, int(given["starting_after"][4:]) - 1)
    last = max(low, high - int(given.get("limit", 10)) + 1)
    body = ",".join(_object(number) for number in range(high, last - 1, -1))
    more = "true" if last > low else "false"
    return f'{{"object":"list","data":[{body}],"has_more":{more},"url":"/"}}'.encode()


# Of a hundred pages so many meet each fault, in the soak.
FAULTS = {"429": 2, "500": 2, "reset": 1, "truncated": 1, "slow": 1}
_TALLY: Counter[str] = Counter()
_CHANCE = Random()


async def _struck(writer: asyncio.StreamWriter, body: bytes) -> bool:
    """Answers with a random fault, or not at all; True when it did."""
    _TALLY["pages"] += 1
    drawn, fault = _CHANCE.randrange(100), None
    for name, share in FAULTS.items():
        if 0 <= drawn < share:
            fault = name
        drawn -= share
    if fault is None:
        return False
    _TALLY[fault] += 1
    match fault:
        case "429" | "500":
            error = b'{"error":{"type":"api_error","message":"soak"}}'
            status = b"429 Too Many" if fault == "429" else b"500 Broken"
            head = b"HTTP/1.1 %b\r\nRetry-After: 0\r\nContent-Length: %d\r\n\r\n"
            writer.write(head % (status, len(error)) + error)
            return True
        case "slow":
            half = _HEAD % len(body) + body[: len(body) // 2]
            writer.write(half)
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(body[len(body) // 2 :])
            return True
        case "truncated":
            writer.write(_HEAD % len(body) + body[: len(body) // 2])
    raise ConnectionResetError


async def _answer(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    objects: int,
    delay: float,
    faulty: bool,
) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            target = urlsplit(head.split(b" ", 2)[1].decode("ascii"))
            if delay:
                await asyncio.sleep(delay)
            match target.path:
                case "/v1/balance_transactions":
                    body = _page(target.query, objects)
                    if faulty and await _struck(writer, body):
                        await writer.drain()
                        continue
                case "/tally":
                    body = json.dumps(_TALLY).encode()
                case "/v1/balance":
                    body = _BALANCE
                case "/v1/account":
                    body = _ACCOUNT
                case _:
                    body = _EMPTY
            writer.write(_HEAD % len(body) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _serve(objects: int, delay: float, lifetime: float, seed: int | None) -> None:
    _CHANCE.seed(seed)
    server = await asyncio.start_server(
        lambda reader, writer: _answer(reader, writer, objects, delay, seed is not None),
        "127.0.0.1",
        0,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(lifetime)


@contextmanager
def page_server(
    objects: int, *, delay_seconds: float = 0.0, lifetime: int = 1_800, seed: int | None = None
) -> Iterator[str]:
    """The address of a server in a process of its own, which ends with the block.

    With a seed, pages meet the faults of `FAULTS`, counted at `/tally`.
    """
    arguments = [str(objects), str(delay_seconds), str(lifetime)]
    arguments += [] if seed is None else [str(seed)]
    command = [sys.executable, "-m", "tests.bench.page_server", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert re.fullmatch(r"\d+", port), port
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            # Not `terminate`: what runs in the background of a shell passes on that it is ignored.
            process.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("objects", type=int)
    parser.add_argument("delay", type=float)
    parser.add_argument("lifetime", type=float)
    parser.add_argument("seed", type=int, nargs="?")
    given = parser.parse_args()
    asyncio.run(_serve(given.objects, given.delay, given.lifetime, given.seed))
