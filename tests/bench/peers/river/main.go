// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.

// usage: river migrate | river TOTAL; what it says: see ../reader. The server is in PGHOST etc.
// "migrate" also prints the statements by which InsertTx adds a job, as {sql, values}; its arguments are {"mark": true}.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"golang.org/x/sys/unix"
)

type job struct {
	N    int    `json:"n"`
	Note string `json:"note"`
	Mark bool   `json:"mark,omitempty"`
}

func (job) Kind() string { return "bench" }

type marked struct {
	Mark bool `json:"mark"`
}

func (marked) Kind() string { return "bench" }

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func monotonic() int64 {
	var now unix.Timespec
	must(unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	return now.Nano()
}

func cpu() float64 {
	var used unix.Rusage
	must(unix.Getrusage(unix.RUSAGE_SELF, &used))
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

type received struct {
	river.WorkerDefaults[job]
	mutex sync.Mutex
	came  [][2]int64
	total int
	all   chan struct{}
}

func (to *received) Work(_ context.Context, of *river.Job[job]) error {
	to.mutex.Lock()
	defer to.mutex.Unlock()
	to.came = append(to.came, [2]int64{int64(of.Args.N), monotonic()})
	if len(to.came) == to.total {
		close(to.all)
	}
	return nil
}

// The statements of one insert, as they go to the server.
type tracer struct{ statements []pgx.TraceQueryStartData }

func (t *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	t.statements = append(t.statements, data)
	return ctx
}

func (*tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func printInsert(ctx context.Context) {
	config, err := pgx.ParseConfig("")
	must(err)
	seen := &tracer{}
	config.Tracer = seen
	connection, err := pgx.ConnectConfig(ctx, config)
	must(err)
	client, err := river.NewClient(riverpgxv5.New(nil), &river.Config{})
	must(err)
	tx, err := connection.Begin(ctx)
	must(err)
	seen.statements = nil
	_, err = client.InsertTx(ctx, tx, marked{true}, nil)
	must(err)
	for _, one := range seen.statements {
		described, err := tx.Conn().Prepare(ctx, "", one.SQL)
		must(err)
		values := make([]*string, 0, len(one.Args))
		args := one.Args
		for len(args) > 0 && len(args) > len(described.ParamOIDs) {
			args = args[1:] // how pgx is to send it
		}
		for i, value := range args {
			text, err := tx.Conn().TypeMap().Encode(described.ParamOIDs[i], pgtype.TextFormatCode, value, nil)
			must(err)
			if text == nil {
				values = append(values, nil)
				continue
			}
			asString := string(text)
			values = append(values, &asString)
		}
		must(json.NewEncoder(os.Stdout).Encode(map[string]any{"sql": one.SQL, "values": values}))
	}
	must(tx.Rollback(ctx))
}

func main() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "")
	must(err)
	if os.Args[1] == "migrate" {
		migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
		must(err)
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		must(err)
		printInsert(ctx)
		return
	}
	total, err := strconv.Atoi(os.Args[1])
	must(err)
	to := &received{total: total, all: make(chan struct{})}
	workers := river.NewWorkers()
	river.AddWorker(workers, to)
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 1000}},
		Workers: workers,
	})
	must(err)
	must(client.Start(ctx))
	begin := cpu()
	fmt.Println("ready")
	<-to.all
	time.Sleep(500 * time.Millisecond) // the last jobs are still to be marked as done
	must(json.NewEncoder(os.Stdout).Encode(map[string]any{"came": to.came, "cpu": cpu() - begin}))
	_, err = io.Copy(io.Discard, os.Stdin)
	must(err)
	must(client.Stop(ctx))
}
