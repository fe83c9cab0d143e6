// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.

package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func insertOrder(ctx context.Context, tx pgx.Tx, item string) (any, error) {
	order := map[string]string{}
	var number string
	err := tx.QueryRow(ctx, "insert into orders (customer, item) values ('alice', $1) returning 'A-' || id", item).Scan(&number)
	if err == nil {
		order["order"] = number
		_, err = tx.Exec(ctx, "select once.publish('orders.placed', $1, $2::json)", number, order)
	}
	return order, err
}

func place(ctx context.Context, pool *pgxpool.Pool, given call) (answer, error) {
	asked := []any{scope, given.Key, fingerprint("POST", "/orders", given.Item)}
	return transact(ctx, pool, func(tx pgx.Tx) (answer, error) {
		return once(ctx, tx, "once.claim($1, $2, $3)", asked, scope, given.Key,
			func() (any, error) { return insertOrder(ctx, tx, given.Item) })
	})
}

func redeem(ctx context.Context, pool *pgxpool.Pool, given call) (answer, error) {
	digest := sha256.Sum256([]byte(given.Token))
	asked := []any{digest[:], fingerprint("POST", "/orders", given.Item)}
	return transact(ctx, pool, func(tx pgx.Tx) (answer, error) {
		return once(ctx, tx, "once.redeem_token($1, 'alice', 'order', $2)", asked, "token order alice",
			hex.EncodeToString(digest[:]), func() (any, error) { return insertOrder(ctx, tx, given.Item) })
	})
}

func signed(given call) bool {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))
	at, wrong := strconv.ParseInt(given.Headers["webhook-timestamp"], 10, 64)
	if err != nil || wrong != nil || time.Since(time.Unix(at, 0)).Abs() > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s.%s", given.Headers["webhook-id"], given.Headers["webhook-timestamp"], given.Body)
	wanted := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, one := range strings.Fields(given.Headers["webhook-signature"]) {
		if hmac.Equal([]byte(one), []byte(wanted)) {
			return true
		}
	}
	return false
}

// receive is a webhook: its signature, its id, and the work, once.
func receive(ctx context.Context, pool *pgxpool.Pool, given call) (answer, error) {
	var content struct{ Item string }
	if !signed(given) || json.Unmarshal([]byte(given.Body), &content) != nil {
		return answer{Status: status(401)}, nil
	}
	return transact(ctx, pool, func(tx pgx.Tx) (result answer, err error) {
		err = tx.QueryRow(ctx, "select once.receive('shop', $1::uuid)::text", given.Headers["webhook-id"]).Scan(&result.Receipt)
		if err == nil && result.Receipt == "fresh" {
			_, err = tx.Exec(ctx, "insert into orders (customer, item) values ('webhook', $1)", content.Item)
		}
		result.Status = status(204)
		if result.Receipt == "in_progress" {
			result.Status = status(503)
		}
		return result, err
	})
}

// fenced is work under a lease: refused when another process has it by now.
func fenced(ctx context.Context, pool *pgxpool.Pool, given call) (answer, error) {
	result, err := transact(ctx, pool, func(tx pgx.Tx) (answer, error) {
		_, err := tx.Exec(ctx, "insert into orders (customer, item) values ('batch', $1)", given.Item)
		if err == nil {
			_, err = tx.Exec(ctx, "select once.assert_fence($1, $2)", given.Lease, given.Fence) // last before COMMIT
		}
		return answer{Status: status(204)}, err
	})
	if code := sqlstate(err); code == "ON010" {
		return answer{Status: status(409), Error: code}, nil
	}
	return result, err
}
