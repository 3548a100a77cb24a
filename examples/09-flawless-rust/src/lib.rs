//! Fetches a page three times with a pause between, as somebody writes a workflow with the `flawless` crate.

mod every_call;

use flawless::idempotent::Idempotence;
use flawless::workflow;
use flawless::workflow::{sleep, Input, Response};
use serde::{Deserialize, Serialize};
use std::time::Duration;

flawless::module! { name = "flawless-rust", version = "1.0.0" }

const ROUNDS: usize = 3;

#[derive(Serialize, Deserialize)]
pub struct Page {
    url: String,
}

#[derive(Serialize)]
struct Fetched {
    statuses: Vec<u16>,
    bytes: Vec<usize>,
}

#[workflow("three_fetches")]
pub fn three_fetches(page: Input<Page>, response: Response) {
    let mut fetched = Fetched { statuses: Vec::new(), bytes: Vec::new() };
    for round in 1..=ROUNDS {
        if round > 1 {
            sleep(Duration::from_millis(250));
        }
        let answer = flawless_http::get(page.url.clone()).idempotent().send().unwrap();
        fetched.statuses.push(answer.status_code());
        fetched.bytes.push(answer.body().len());
        log::info!("{} of {}", round, ROUNDS);
    }
    response.send(fetched).unwrap();
}
