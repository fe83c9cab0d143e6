// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.

//! An order service in Rust, with the crate postgres: requests, webhooks, tokens and fences.
//!
//! It reads calls as lines of JSON, as ../README.md describes, and answers each with a line of JSON. PGHOST etc. name the server.

mod requests;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, Mac};
use requests::{Failure, Shop, fingerprint, insert_order, once};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime};
use uuid::Uuid;

const SCOPE: &str = "POST /orders alice";

fn order(shop: &mut Shop, given: &Value) -> Result<Value, Failure> {
    let (key, item) = (text(given, "key"), text(given, "item"));
    let asked = fingerprint(&["POST", "/orders", item]);
    shop.transact(|tx| once(tx, "once.claim($1, $2, $3)", &[&SCOPE, &key, &asked], SCOPE, key, |tx| insert_order(tx, item)))
}

fn redeem(shop: &mut Shop, given: &Value) -> Result<Value, Failure> {
    let item = text(given, "item");
    let digest = Sha256::digest(text(given, "token")).to_vec();
    let key: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let asked = fingerprint(&["POST", "/orders", item]);
    let claim = "once.redeem_token($1, 'alice', 'order', $2)";
    shop.transact(|tx| once(tx, claim, &[&digest, &asked], "token order alice", &key, |tx| insert_order(tx, item)))
}

fn signed(headers: &Value, body: &str) -> bool {
    let secret = std::env::var("WEBHOOK_SECRET").expect("WEBHOOK_SECRET is set");
    let secret = BASE64.decode(secret.trim_start_matches("whsec_")).expect("it is base64");
    let (id, time) = (text(headers, "webhook-id"), text(headers, "webhook-timestamp"));
    let sent_at = SystemTime::UNIX_EPOCH + Duration::from_secs(time.parse().unwrap_or(0));
    let age = SystemTime::now().duration_since(sent_at).unwrap_or_else(|early| early.duration());
    let mac = Hmac::<Sha256>::new_from_slice(&secret).expect("any length will do").chain_update(format!("{id}.{time}.{body}"));
    let is_ours = |one: &str| {
        let given = one.strip_prefix("v1,").and_then(|one| BASE64.decode(one).ok());
        given.is_some_and(|given| mac.clone().verify_slice(&given).is_ok()) // in constant time
    };
    age <= Duration::from_secs(300) && text(headers, "webhook-signature").split(' ').any(is_ours)
}

/// A webhook: its signature, its id, and the work, once.
fn webhook(shop: &mut Shop, given: &Value) -> Result<Value, Failure> {
    let (headers, body) = (&given["headers"], text(given, "body"));
    let (Ok(id), true) = (Uuid::parse_str(text(headers, "webhook-id")), signed(headers, body)) else {
        return Ok(json!({"status": 401}));
    };
    let content: Value = serde_json::from_str(body)?;
    shop.transact(|tx| {
        let receipt: String = tx.query_one("select once.receive('shop', $1)::text", &[&id])?.get(0);
        if receipt == "fresh" {
            tx.execute("insert into orders (customer, item) values ('webhook', $1)", &[&text(&content, "item")])?;
        }
        Ok(json!({"status": if receipt == "in_progress" { 503 } else { 204 }, "receipt": receipt}))
    })
}

/// Work under a lease: refused when another process has it by now.
fn fenced(shop: &mut Shop, given: &Value) -> Result<Value, Failure> {
    let result = shop.transact(|tx| {
        tx.execute("insert into orders (customer, item) values ('batch', $1)", &[&text(given, "item")])?;
        tx.query("select once.assert_fence($1, $2)", &[&text(given, "lease"), &given["fence"].as_i64()])?; // last before COMMIT
        Ok(json!({"status": 204}))
    });
    match result {
        Err(e) if requests::sqlstate(&e) == Some("ON010") => Ok(json!({"status": 409, "error": "ON010"})),
        other => other,
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn main() -> Result<(), Failure> {
    let mut shop = Shop::from_environment();
    for line in std::io::stdin().lines() {
        let given: Value = serde_json::from_str(&line?)?;
        let call = match text(&given, "call") {
            "order" => order,
            "redeem" => redeem,
            "webhook" => webhook,
            _ => fenced,
        };
        println!("{}", call(&mut shop, &given)?);
    }
    Ok(())
}
