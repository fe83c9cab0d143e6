// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.

//! What every call needs: a transaction that is tried again where that is right, and a claim around the work.

use postgres::{Client, NoTls, Transaction, types::ToSql};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime};

pub type Failure = Box<dyn std::error::Error>;

/// SHA-256 of the parts, each behind its length: the same in every language.
pub fn fingerprint(parts: &[&str]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// None: the connection is lost.
pub fn sqlstate(failure: &Failure) -> Option<&str> {
    failure.downcast_ref::<postgres::Error>()?.code().map(|state| state.code())
}

/// One connection, made anew after it was lost. A service has a pool here.
pub struct Shop {
    config: postgres::Config,
    client: Option<Client>,
}

impl Shop {
    pub fn from_environment() -> Self {
        let from = |name| std::env::var(name).unwrap_or_default();
        let mut config = postgres::Config::new();
        config.host(&from("PGHOST")).port(from("PGPORT").parse().unwrap_or(5432)).user(&from("PGUSER")).dbname(&from("PGDATABASE"));
        Shop { config, client: None }
    }

    fn attempt(&mut self, work: &impl Fn(&mut Transaction) -> Result<Value, Failure>) -> Result<Value, Failure> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = Some(self.config.connect(NoTls)?);
        }
        let mut tx = self.client.as_mut().expect("it was just made").transaction()?;
        let answer = work(&mut tx)?; // dropped without a commit, it rolls back
        tx.commit()?;
        Ok(answer)
    }

    /// Runs the work in a transaction, and again where that is right.
    ///
    /// After a lost connection nobody knows whether COMMIT took effect. The next attempt finds out: it claims the same key, and
    /// gets the stored answer if it did.
    pub fn transact(&mut self, work: impl Fn(&mut Transaction) -> Result<Value, Failure>) -> Result<Value, Failure> {
        for attempt in 1.. {
            let failure = match self.attempt(&work) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let again = match sqlstate(&failure) {
                Some("40001" | "40P01" | "55P03") => true, // nothing took effect
                Some(state) => state.starts_with("08") || state.starts_with("57P"),
                None => failure.is::<postgres::Error>(),
            };
            if !again || attempt == 8 {
                return Err(failure);
            }
            let jitter = u64::from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.subsec_nanos());
            std::thread::sleep(Duration::from_millis(jitter % (10 << attempt)));
        }
        unreachable!()
    }
}

/// Does the work unless the claim has its answer already.
pub fn once(
    tx: &mut Transaction,
    claim: &str,
    values: &[&(dyn ToSql + Sync)],
    scope: &str,
    key: &str,
    work: impl Fn(&mut Transaction) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    let found = tx.query_one(&format!("select outcome::text, status, body from {claim}"), values)?;
    let outcome: &str = found.get(0);
    if outcome != "started" {
        let body = found.get::<_, Option<Vec<u8>>>(2).map(String::from_utf8).transpose()?;
        return Ok(json!({"outcome": outcome, "status": found.get::<_, Option<i32>>(1), "body": body}));
    }
    let body = work(tx)?.to_string();
    tx.query("select once.complete($1, $2, 201, null, 'application/json', $3::text::json, null)", &[&scope, &key, &body])?;
    Ok(json!({"outcome": "done", "status": 201, "body": body}))
}

pub fn insert_order(tx: &mut Transaction, item: &str) -> Result<Value, Failure> {
    let row = tx.query_one("insert into orders (customer, item) values ('alice', $1) returning 'A-' || id", &[&item])?;
    let order = json!({"order": row.get::<_, String>(0)});
    tx.query("select once.publish('orders.placed', $1, $2)", &[&order["order"].as_str(), &order])?;
    Ok(order)
}
