// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// An order service for Node, with node-postgres: requests, webhooks, tokens and fences.
//
// It reads calls as lines of JSON, as ../README.md describes, and answers each with a line of JSON. PGHOST etc. name the server.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

const scope = "POST /orders alice";
const again = new Set(["40001", "40P01", "55P03"]); // serialization failure, deadlock, a wait too long: nothing took effect
const secret = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
const pool = new pg.Pool({ max: 4 });
pool.on("error", () => {}); // an idle connection ended; the next call gets another one
pool.on("connect", (client) => client.on("error", () => {})); // the query that meets it throws it, too

/** SHA-256 of the parts, each behind its length: the same in every language. */
function fingerprint(...parts) {
    const hash = createHash("sha256");
    for (const part of parts) {
        const bytes = Buffer.from(part), length = Buffer.alloc(8);
        length.writeBigUInt64BE(BigInt(bytes.length));
        hash.update(length).update(bytes);
    }
    return hash.digest();
}

/**
 * Runs work(client) in a transaction, and again where that is right.
 *
 * After a lost connection nobody knows whether COMMIT took effect. The next attempt finds out: it claims the same key, and gets
 * the stored answer if it did.
 */
async function transact(work, attempts = 8) {
    for (let attempt = 1; ; ++attempt) {
        let client, failure;
        try {
            client = await pool.connect();
            await client.query("begin");
            const answer = await work(client);
            await client.query("commit");
            return answer;
        } catch (e) {
            failure = e;
            const lost = !/^[0-9A-Z]{5}$/.test(e.code ?? "") || /^(08|57P)/.test(e.code);
            if (attempt === attempts || !(lost || again.has(e.code))) {
                throw e;
            }
        } finally {
            client?.release(failure); // with an error: it is closed, which also rolls back
        }
        await sleep(Math.random() * 10 * 2 ** attempt);
    }
}

/** Does the work unless the claim has its answer already. */
async function once(client, claim, values, scope, key, work) {
    const { rows: [found] } = await client.query(`select outcome, status, body from ${claim}`, values);
    if (found.outcome !== "started") {
        return { outcome: found.outcome, status: found.status, body: found.body?.toString() ?? null };
    }
    const status = 201, body = JSON.stringify(await work(client));
    await client.query("select once.complete($1, $2, $3, null, 'application/json', $4::json, null)", [scope, key, status, body]);
    return { outcome: "done", status, body };
}

async function insertOrder(client, item) {
    const { rows: [{ number }] } = await client.query(
        "insert into orders (customer, item) values ('alice', $1) returning 'A-' || id as number", [item]);
    await client.query("select once.publish('orders.placed', $1, $2::json)", [number, JSON.stringify({ order: number })]);
    return { order: number };
}

const calls = {
    order: ({ key, item }) => transact((client) =>
        once(client, "once.claim($1, $2, $3)", [scope, key, fingerprint("POST", "/orders", item)], scope, key,
            () => insertOrder(client, item))),

    redeem({ token, item }) {
        const digest = createHash("sha256").update(token).digest();
        return transact((client) =>
            once(client, "once.redeem_token($1, 'alice', 'order', $2)", [digest, fingerprint("POST", "/orders", item)],
                "token order alice", digest.toString("hex"), () => insertOrder(client, item)));
    },

    /** A webhook: its signature, its id, and the work, once. */
    async webhook({ headers, body }) {
        const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signatures } = headers;
        const wanted = Buffer.from("v1," + createHmac("sha256", secret).update(`${id}.${time}.${body}`).digest("base64"));
        const same = (given) => given.length === wanted.length && timingSafeEqual(Buffer.from(given), wanted);
        if (Math.abs(Date.now() / 1000 - Number(time)) > 300 || !signatures.split(" ").some(same)) {
            return { status: 401 };
        }
        return transact(async (client) => {
            const { rows: [{ receive: receipt }] } = await client.query("select once.receive('shop', $1::uuid)", [id]);
            if (receipt === "fresh") {
                await client.query("insert into orders (customer, item) values ('webhook', $1)", [JSON.parse(body).item]);
            }
            return { status: receipt === "in_progress" ? 503 : 204, receipt };
        });
    },

    /** Work under a lease: refused when another process has it by now. */
    fenced: ({ lease, fence, item }) => transact(async (client) => {
        await client.query("insert into orders (customer, item) values ('batch', $1)", [item]);
        await client.query("select once.assert_fence($1, $2)", [lease, fence]); // last before COMMIT
        return { status: 204 };
    }).catch((e) => {
        if (e.code === "ON010") {
            return { status: 409, error: e.code };
        }
        throw e;
    }),
};

for await (const line of createInterface({ input: process.stdin })) {
    const { call, ...given } = JSON.parse(line);
    console.log(JSON.stringify(await calls[call](given)));
}
await pool.end();
