# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""What is counted: each call as a client sends it, with prepared statements.

Calls of the library's SQL name no more of it than they must, so that they survive that a column or a type changes.
"""
import hashlib

SCOPE = "POST /orders alice"
REQUEST = '{"customer":"alice","cents":4200,"note":"' + "x" * 57 + '"}'
RESPONSE = '{"id":4711,"customer":"alice","cents":4200,"detail":"' + "x" * 145 + '"}'
DIGEST = "\\x" + hashlib.sha256(REQUEST.encode()).hexdigest()
PAYLOAD = '{"order":4711,"customer":"alice","note":"' + "x" * 57 + '"}'
BATCH = 100


def key(n):
    """32 hexadecimal digits, the same in each run, in no order."""
    return hashlib.md5(f"call {n}".encode()).hexdigest()


class Call:
    """One row of the table. `per` calls are one in the figures."""
    unawaited = 0  # answers that the client does not wait for
    library = False  # done by the program once_bench_calls, which knows it by the same name
    warm, counted, per = 25, 20, 1
    beside = "bare"

    def __init__(self, name, title, run=None, setup=None, **more):
        self.name, self.title, self.run, self.setup = name, title, run, setup
        for field, value in more.items():
            if not hasattr(self, field):
                raise AttributeError(field)
            setattr(self, field, value)


def order(s):
    s.run("insert into bench.orders (customer, cents) values ($1, $2::bigint)", "alice", 4200)


def empty(s, _):
    s.run("begin")
    s.run("commit")


def bare(s, _):
    s.run("begin")
    order(s)
    s.run("commit")


def outbox_row(s, n):
    s.run("insert into bench.outbox (topic, key, payload) values ($1, $2, $3::json)", "order.created", key(n), PAYLOAD)


def outbox_by_hand(s, n):
    s.run("begin")
    outbox_row(s, n)
    s.run("commit")


TAKE_KEY = ("insert into bench.idempotency_key (scope, key, request_hash) values ($1, $2, sha256($3::text::bytea)) "
            "on conflict do nothing returning created")


def by_hand(s, n, outbox=False):
    s.run("begin")
    if not s.run(TAKE_KEY, SCOPE, key(n), REQUEST):
        raise AssertionError("a new key was there already")
    order(s)
    if outbox:
        outbox_row(s, n)
    s.run("update bench.idempotency_key set status = $3::integer, response = $4::json where scope = $1 and key = $2",
          SCOPE, key(n), 201, RESPONSE)
    s.run("commit")


def replay_by_hand(s, n):
    s.run("begin")
    known = hashlib.md5(f"before {n % 200 + 1}".encode()).hexdigest()
    if s.run(TAKE_KEY, SCOPE, known, REQUEST):
        raise AssertionError("the key was not there")
    s.run("select request_hash, status, response from bench.idempotency_key where scope = $1 and key = $2", SCOPE, known)
    s.run("rollback")


def claim(s, n):
    s.run("begin")
    s.run("select once.claim($1, $2, sha256($3::text::bytea))", SCOPE, key(n), REQUEST)
    order(s)
    s.run("select once.complete($1, $2, $3, null, 'application/json', $4::json, null)", SCOPE, key(n), 201, RESPONSE)
    s.run("commit")


def begin_and_finish(s, n):
    s.run("begin")
    s.run("select once.begin_request($1, $2, $3::bytea)", SCOPE, key(n), DIGEST)
    order(s)
    s.run("select once.finish_request($1, $2, $3::bytea, $4, null, 'application/json', $5::json, null)", SCOPE, key(n),
          DIGEST, 201, RESPONSE)
    s.run("commit")


def publish_one(s, n):
    s.run("select once.publish($1, $2, $3::json)", "order.created", key(n), PAYLOAD)


def publish(s, n):
    s.run("begin")
    publish_one(s, n)
    s.run("commit")


NEXT = ("select a.batch::text, a.id, a.message_id, a.published_at, a.service, a.topic, a.key, a.traceparent, "
        "a.content_type, a.headers, a.payload_json, a.payload_bytes, a.blocked from once.next_batch($1, 0, $2) as a")


def next_batch(s, limit, wanted):
    *messages, last = s.run(NEXT, "counted", limit)
    if len(messages) != wanted:
        raise AssertionError(f"next_batch() handed out {len(messages)} messages instead of {wanted}")
    return last[0], messages


def acknowledge(s, batch, last_id=None):
    s.run("select once.acknowledge($1, 0, $2, $3)", "counted", batch, last_id)


def idle(s, _):
    next_batch(s, 1000, 0)


def one_message(s, n):
    publish(s, n)
    acknowledge(s, next_batch(s, 1000, 1)[0])


def publish_many(s):
    """Enough for all rounds of the row, in transactions of one batch."""
    for n in range(BATCHES.warm + 2 * BATCHES.counted):
        s.run("select count(once.publish('order.created', md5($1::text || n), $2::json)) from generate_series(1, 100) as n",
              n, PAYLOAD)


def batch_of_messages(s, _):
    batch, messages = next_batch(s, BATCH, BATCH)
    acknowledge(s, batch, messages[-1][1]) # it is full, so there may be more behind it


def receive(s, n):
    s.run("begin")
    s.run("select once.receive($1, $2, sha256($3::text::bytea))", "counted", key(n), PAYLOAD)
    order(s)
    s.run("commit")


def take_lease(s):
    s.fence = s.run("select fence from once.acquire_lease('counted', interval '1 day')")[0][0]


def renew_lease(s, _):
    s.run("select once.renew_lease('counted', $1, interval '1 day')", s.fence)


def assert_fence(s, _):
    s.run("begin")
    s.run("select once.assert_fence('counted', $1)", s.fence)
    order(s)
    s.run("commit")


def fall_asleep(s, _):
    s.run("select sleep_number, writers from once.fall_asleep(interval '1 second')")


def due(s, _):
    s.run("select once.release_due(1000)")
    s.run("select once.parked_due('counted', 0)")


BATCHES = Call("read-100", "reading, per message, in batches of 100", batch_of_messages, publish_many, per=BATCH,
               warm=12, counted=4, beside="outbox-by-hand")

CALLS = [
    Call("empty", "BEGIN, COMMIT", empty, counted=100, beside=None),
    Call("bare", "BEGIN, one insert, COMMIT", bare, counted=100),
    Call("outbox-by-hand", "the same with a row of an outbox as people make it", outbox_by_hand, counted=100),
    Call("by-hand", "key, insert, update of the key: a request by hand", by_hand),
    Call("by-hand-outbox", "the same, and a row of that outbox", lambda s, n: by_hand(s, n, True)),
    Call("replay-by-hand", "a repeat by hand", replay_by_hand),
    Call("claim", "claim(), insert, complete(): a request through SQL", claim, beside="by-hand"),
    Call("begin", "begin_request(), insert, finish_request(): the same, written once", begin_and_finish, beside="by-hand"),
    Call("execute", "execute with a callback, one insert", library=True, beside="by-hand"),
    Call("execute-outbox", "the same, and a row of an outbox by at_commit", library=True, beside="by-hand-outbox"),
    Call("execute-publish", "the same, and publish() instead", library=True, beside="by-hand-outbox"),
    Call("one-trip", "execute in one round trip, the row is the response", library=True, beside="by-hand"),
    Call("one-trip-outbox", "the same, and a row of an outbox", library=True, beside="by-hand-outbox"),
    Call("replay", "a repeat of execute", library=True, unawaited=1, beside="replay-by-hand"), # ROLLBACK
    Call("one-trip-replay", "a repeat in the form of one round trip", library=True, beside="replay-by-hand"),
    Call("redeem", "execute with a token, one insert", library=True, beside="by-hand"),
    Call("publish", "publish() of one message", publish, beside="outbox-by-hand"),
    Call("idle", "next_batch() that finds nothing", idle, lambda s: one_message(s, 0)),
    Call("one-message", "publish(), next_batch(), acknowledge() of one message", one_message,
         beside="outbox-by-hand"),
    BATCHES,
    Call("fall-asleep", "fall_asleep() of a reader", fall_asleep),
    Call("due", "release_due() and parked_due(), nothing is due", due),
    Call("receive", "inbox: receive(), one insert", receive, beside="by-hand"),
    Call("renew", "renew_lease()", renew_lease, take_lease),
    Call("assert", "assert_fence(), one insert", assert_fence, take_lease),
]
NAMED = {call.name: call for call in CALLS}
# What CI can afford: each kind of call once.
FEW = ["bare", "by-hand", "claim", "execute", "one-trip", "replay", "publish", "one-message", "receive"]
