// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.

package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/rand"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// fingerprint is the SHA-256 of the parts, each behind its length: the same in every language.
func fingerprint(parts ...string) []byte {
	hash := sha256.New()
	for _, part := range parts {
		binary.Write(hash, binary.BigEndian, uint64(len(part)))
		hash.Write([]byte(part))
	}
	return hash.Sum(nil)
}

// sqlstate is empty for a lost connection, and for what pgx itself refuses.
func sqlstate(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// transact runs the work in a transaction, and again where that is right.
//
// After a lost connection nobody knows whether COMMIT took effect. The next attempt finds out: it claims the same key, and gets
// the stored answer if it did.
func transact(ctx context.Context, pool *pgxpool.Pool, work func(pgx.Tx) (answer, error)) (result answer, err error) {
	for attempt := 1; attempt <= 8; attempt++ {
		err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) (failed error) {
			result, failed = work(tx)
			return failed
		})
		code := sqlstate(err)
		switch {
		case err == nil:
			return result, nil
		case code == "" || strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P"): // lost
		case code == "40001" || code == "40P01" || code == "55P03": // nothing took effect
		default:
			return result, err
		}
		time.Sleep(time.Duration(rand.Int63n(int64(10*time.Millisecond) << attempt)))
	}
	return result, err
}

// once does the work unless the claim has its answer already.
func once(ctx context.Context, tx pgx.Tx, claim string, values []any, scope, key string, work func() (any, error)) (answer, error) {
	var found answer
	var body []byte
	err := tx.QueryRow(ctx, "select outcome, status, body from "+claim, values...).Scan(&found.Outcome, &found.Status, &body)
	if err != nil || found.Outcome != "started" {
		if body != nil {
			text := string(body)
			found.Body = &text
		}
		return found, err
	}
	done, err := work()
	if err != nil {
		return answer{}, err
	}
	response, _ := json.Marshal(done)
	text := string(response)
	_, err = tx.Exec(ctx, "select once.complete($1, $2, 201, null, 'application/json', $3::json, null)", scope, key, text)
	return answer{Outcome: "done", Status: status(201), Body: &text}, err
}
