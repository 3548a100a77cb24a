//! One of every call that the crate has.

use crate::{three_fetches, Page};
use flawless::message::receive;
use flawless::workflow::{sleep, Input, Response};
use flawless::{message, rand, receive, replay_debug, secrets, time, workflow};
use serde::Serialize;
use std::time::{Duration, UNIX_EPOCH};

#[message("greeting")]
struct Greeting {
    text: String,
}

#[derive(Serialize)]
struct Seen {
    /// Whether a floating number is from 0, below 1.
    fractions: bool,
    numbers: (bool, i32, i64),
    /// Whether a second passed in the sleep.
    slept: bool,
    secret: Option<String>,
    errors: (String, String),
    posted: String,
    timeout: bool,
    greeting: String,
}

#[workflow("every_call")]
pub fn every_call(page: Input<Page>, response: Response) {
    let before = time::now();
    sleep(Duration::from_millis(1_000));
    let slept = time::now().duration_since(before).unwrap() >= Duration::from_secs(1) && before > UNIX_EPOCH;
    let (half, whole): (f32, f64) = (rand::random(), rand::random());
    let missing = flawless_http::get(format!("{}missing", page.url)).send().unwrap_err();
    let broken = flawless_http::get("http://broken/").send().unwrap_err();
    let posted = flawless_http::post(page.url.clone()).body("hello").send().unwrap();
    let timeout = receive! {
        _never: Greeting => false,
        +timeout Duration::from_millis(1) => true
    };
    let greeting: Greeting = receive();
    replay_debug!("greeted by {}", greeting.text);
    workflow::start::<three_fetches>(Page { url: page.url.clone() }).unwrap();
    let seen = Seen {
        fractions: (0.0..1.0).contains(&half) && (0.0..1.0).contains(&whole),
        numbers: (rand::random(), rand::random(), rand::random()),
        slept,
        secret: secrets::get_secret("KEY"),
        errors: (format!("{:?}", missing.kind()), format!("{:?}", broken.kind())),
        posted: posted.text().unwrap(),
        timeout,
        greeting: greeting.text,
    };
    response.send(seen).unwrap();
}
