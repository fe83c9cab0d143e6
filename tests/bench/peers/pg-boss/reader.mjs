// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// usage: reader.mjs migrate | reader.mjs TOTAL; what it says: see ../reader. The server is in PGHOST etc.
// "migrate" also prints the statement by which send() adds a job, as {sql, values}; its data are {"mark": true}.
import { PgBoss } from "pg-boss";

const { PGHOST: host, PGUSER: user, PGDATABASE: database } = process.env;
const boss = new PgBoss({ host, user, database, port: 5432, useListenNotify: true });
boss.on("error", () => {}); // a failure shows in what it did not do
await boss.start();
const stop = async () => { await boss.stop({ graceful: true }); process.exit(0); };
if (process.argv[2] === "migrate") {
    await boss.createQueue("bench", { notify: true });
    const db = { executeSql: async (sql, values) => { console.log(JSON.stringify({ sql, values })); return { rows: [] }; } };
    await boss.send("bench", { mark: true }, { db });
    await stop();
}

const total = Number(process.argv[2]);
const came = [];
const begin = process.cpuUsage();
// A page of its manual on throughput: large batches, and no pause while there is a backlog.
await boss.work("bench", { batchSize: 1000, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true }, async (jobs) => {
    for (const { data } of jobs) {
        came.push([data.n, Number(process.hrtime.bigint())]);
    }
    if (came.length === total) {
        const { user: own, system } = process.cpuUsage(begin);
        // The last jobs are still to be marked as done.
        setTimeout(() => console.log(JSON.stringify({ came, cpu: (own + system) / 1e6 })), 500);
    }
});
console.log("ready");
process.stdin.resume();
process.stdin.on("end", stop);
