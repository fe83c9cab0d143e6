// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// usage: reader.mjs migrate | reader.mjs TOTAL stream|drain; what it says: see ../reader. The server is in PGHOST etc.
import { Logger, run, runMigrations } from "graphile-worker";
import pg from "pg";

const logger = new Logger(() => () => {});
const pgPool = new pg.Pool({ max: 10 });
const ignore = () => {}; // a failure shows in what it did not do
pgPool.on("error", ignore);
pgPool.on("connect", (client) => client.on("error", ignore));
if (process.argv[2] === "migrate") {
    await runMigrations({ pgPool, logger });
    await pgPool.end();
    process.exit(0);
}

const total = Number(process.argv[2]);
const came = [];
let begin = process.cpuUsage();
// With a backlog as its pages on performance advise; else as it comes.
const preset = process.argv[3] === "drain"
    ? { worker: { concurrentJobs: 24, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } }
    : { worker: { concurrentJobs: 10 } };
const runner = await run({
    pgPool, logger, preset, noHandleSignals: true,
    taskList: {
        bench: async ({ n }) => {
            came.push([n, Number(process.hrtime.bigint())]);
            if (came.length === total) {
                const { user, system } = process.cpuUsage(begin);
                // The last jobs are still to be marked as done.
                setTimeout(() => console.log(JSON.stringify({ came, cpu: (user + system) / 1e6 })), 500);
            }
        },
    },
});
begin = process.cpuUsage();
console.log("ready");
process.stdin.resume();
process.stdin.on("end", async () => { await runner.stop(); process.exit(0); });
