//! Fetches a page three times with a pause between: a Rust program whose calls are durable.

#[allow(dead_code)]
mod mvm;

use std::io::Read;
use std::{process, thread, time::Duration};

const ROUNDS: usize = 3;

fn main() {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).expect("stdin is UTF-8");
    let url = url_of(&input).unwrap_or_else(|| {
        eprintln!("the input must be {{\"url\":\"…\"}}");
        process::exit(2)
    });

    let mut statuses = Vec::new();
    let mut bytes = Vec::new();
    for round in 1..=ROUNDS {
        if round > 1 {
            thread::sleep(Duration::from_millis(250));
        }
        let answer = mvm::Request::get(&url).send().unwrap_or_else(|failure| {
            eprintln!("{}: {}", failure.code, failure.message);
            process::exit(1)
        });
        statuses.push(answer.status.to_string());
        bytes.push(answer.body.len().to_string());
        eprintln!("{} of {}: {}", round, ROUNDS, answer.status);
        mvm::progress(100.0 * round as f64 / ROUNDS as f64, "fetched");
    }
    println!("{{\"statuses\":[{}],\"bytes\":[{}]}}", statuses.join(","), bytes.join(","));
}

/// The text behind `"url":`, without escapes; a real workflow takes a JSON crate.
fn url_of(json: &str) -> Option<String> {
    let value = json.split("\"url\"").nth(1)?.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    Some(value[..value.find('"')?].replace("\\/", "/"))
}
