# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""An order service in Python, with psycopg 3: requests, webhooks, tokens and fences.

It reads calls as lines of JSON, as ../README.md describes, and answers each with a line of JSON. PGHOST etc. name the server.
"""
import base64
import hashlib
import hmac
import json
import os
import random
import sys
import time

import psycopg
import psycopg_pool

SCOPE = "POST /orders alice"
AGAIN = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, a wait that was too long: nothing took effect
SECRET = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))


# [region: fingerprint]
def fingerprint(*parts):
    """SHA-256 of the parts, each behind its length: the same in every language."""
    parts = [part.encode() for part in parts]
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()
# [endregion]


# [region: transact]
def transact(pool, work, attempts=8):
    """Runs work(cursor) in a transaction, and again where that is right.

    After a lost connection nobody knows whether COMMIT took effect. The next attempt finds out: it claims the same key, and
    gets the stored answer if it did.
    """
    for attempt in range(1, attempts + 1):
        try:
            with pool.connection() as connection, connection.cursor() as cursor:
                return work(cursor)
        except psycopg.Error as e:
            lost = e.sqlstate is None or e.sqlstate.startswith(("08", "57P"))
            if attempt == attempts or not (lost or e.sqlstate in AGAIN):
                raise
        time.sleep(random.uniform(0, 0.01 * 2 ** attempt))
# [endregion]


# [region: once]
def once(cursor, claim, claim_values, scope, key, work):
    """Does the work unless the claim has its answer already."""
    outcome, status, body = cursor.execute(f"select outcome, status, body from {claim}", claim_values).fetchone()
    if outcome != "started":
        return {"outcome": outcome, "status": status, "body": body and body.decode()}
    status, body = 201, json.dumps(work(cursor))
    cursor.execute("select once.complete(%s, %s, %s, null, 'application/json', %s::json, null)", (scope, key, status, body))
    return {"outcome": "done", "status": status, "body": body}
# [endregion]


# [region: order]
def insert_order(cursor, item):
    number = cursor.execute("insert into orders (customer, item) values ('alice', %s) returning 'A-' || id",
                            (item,)).fetchone()[0]
    cursor.execute("select once.publish('orders.placed', %s, %s::json)", (number, json.dumps({"order": number})))
    return {"order": number}


def place_order(pool, key, item):
    asked = (SCOPE, key, fingerprint("POST", "/orders", item))
    return transact(pool, lambda cursor: once(cursor, "once.claim(%s, %s, %s)", asked, SCOPE, key,
                                              lambda cursor: insert_order(cursor, item)))
# [endregion]


def redeem(pool, token, item):
    digest = hashlib.sha256(token.encode()).digest()
    asked = (digest, fingerprint("POST", "/orders", item))
    return transact(pool, lambda cursor: once(cursor, "once.redeem_token(%s, 'alice', 'order', %s)", asked,
                                              "token order alice", digest.hex(), lambda cursor: insert_order(cursor, item)))


def receive(pool, headers, body):
    """A webhook: its signature, its id, and the work, once."""
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    wanted = "v1," + base64.b64encode(hmac.digest(SECRET, text, "sha256")).decode()
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) <= 300
    if not fresh or not any(hmac.compare_digest(wanted, given) for given in headers["webhook-signature"].split()):
        return {"status": 401}

    # [region: receive]
    def work(cursor):
        receipt = cursor.execute("select once.receive('shop', %s::uuid)", (headers["webhook-id"],)).fetchone()[0]
        if receipt == "fresh":
            cursor.execute("insert into orders (customer, item) values ('webhook', %s)", (json.loads(body)["item"],))
        return {"status": 503 if receipt == "in_progress" else 204, "receipt": receipt}
    # [endregion]
    return transact(pool, work)


def place_fenced(pool, lease, fence, item):
    """Work under a lease: refused when another process has it by now."""
    # [region: fence]
    def work(cursor):
        cursor.execute("insert into orders (customer, item) values ('batch', %s)", (item,))
        cursor.execute("select once.assert_fence(%s, %s)", (lease, fence)) # last before COMMIT
        return {"status": 204}
    # [endregion]
    try:
        return transact(pool, work)
    except psycopg.Error as e:
        if e.sqlstate != "ON010":
            raise
        return {"status": 409, "error": e.sqlstate}


CALLS = {"order": place_order, "redeem": redeem, "webhook": receive, "fenced": place_fenced}
with psycopg_pool.ConnectionPool(min_size=1, max_size=4, check=psycopg_pool.ConnectionPool.check_connection) as connections:
    for line in sys.stdin:
        given = json.loads(line)
        print(json.dumps(CALLS[given.pop("call")](connections, **given)), flush=True)
