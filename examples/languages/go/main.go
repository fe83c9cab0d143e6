// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.

// An order service in Go, with pgx: requests, webhooks, tokens and fences.
//
// It reads calls as lines of JSON, as ../README.md describes, and answers each with a line of JSON. PGHOST etc. name the server.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
)

const scope = "POST /orders alice"

type call struct {
	Call, Key, Item, Token, Lease, Body string
	Fence                               int64
	Headers                             map[string]string
}

type answer struct {
	Outcome string  `json:"outcome,omitempty"`
	Status  *int    `json:"status"`
	Body    *string `json:"body,omitempty"`
	Receipt string  `json:"receipt,omitempty"`
	Error   string  `json:"error,omitempty"`
}

func status(value int) *int { return &value }

func main() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	calls := map[string]func(context.Context, *pgxpool.Pool, call) (answer, error){
		"order": place, "redeem": redeem, "webhook": receive, "fenced": fenced}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var given call
		if err := json.Unmarshal(lines.Bytes(), &given); err != nil {
			log.Fatal(err)
		}
		result, err := calls[given.Call](ctx, pool, given)
		if err != nil {
			log.Fatal(err)
		}
		json.NewEncoder(os.Stdout).Encode(result)
	}
}
