//! The One Million Request Challenge as a Rust programmer writes it: warp on tokio, a
//! DashMap of users and atomic totals.

use std::process::exit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use warp::http::StatusCode;
use warp::hyper::body::Bytes;
use warp::reply::{json, with_status};
use warp::{Filter, Reply};

const MAX_BODY_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
#[allow(non_snake_case)]
struct Event {
    userId: String,
    value: f64,
}

#[derive(Serialize)]
struct Taken {
    status: &'static str,
}

#[derive(Serialize)]
struct Refused {
    error: &'static str,
}

#[derive(Serialize)]
#[allow(non_snake_case)]
struct Stats {
    totalRequests: u64,
    uniqueUsers: usize,
    sum: f64,
    avg: f64,
}

#[derive(Default)]
struct Totals {
    requests: AtomicU64,
    sum_bits: AtomicU64,
    users: DashMap<String, ()>,
}

impl Totals {
    fn add(&self, event: Event) {
        self.users.entry(event.userId).or_insert(());
        let plus = |bits| Some((f64::from_bits(bits) + event.value).to_bits());
        let _ = self
            .sum_bits
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, plus);
        self.requests.fetch_add(1, Ordering::AcqRel);
    }

    fn stats(&self) -> Stats {
        let requests = self.requests.load(Ordering::Acquire);
        let sum = f64::from_bits(self.sum_bits.load(Ordering::Acquire));
        Stats {
            totalRequests: requests,
            uniqueUsers: self.users.len(),
            sum,
            avg: if requests == 0 {
                0.0
            } else {
                sum / requests as f64
            },
        }
    }
}

/// 400 for what is no JSON, 422 for JSON that is no event.
fn take(totals: &Totals, body: Bytes) -> impl Reply {
    match serde_json::from_slice::<Event>(&body) {
        Ok(event) => {
            totals.add(event);
            with_status(json(&Taken { status: "ok" }), StatusCode::OK)
        }
        Err(why) => {
            let status = if why.is_data() {
                StatusCode::UNPROCESSABLE_ENTITY
            } else {
                StatusCode::BAD_REQUEST
            };
            let error = "an event has userId, a string, and value, a number";
            with_status(json(&Refused { error }), status)
        }
    }
}

fn port() -> Option<u16> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (None, ..) => Some(8000),
        (Some(name), Some(port), None) if name == "--port" => port.parse().ok(),
        _ => None,
    }
}

#[tokio::main]
async fn main() {
    let Some(port) = port() else {
        eprintln!("usage: one_million_rust [--port N]");
        exit(2);
    };
    let totals = Arc::new(Totals::default());
    let shared = warp::any().map(move || Arc::clone(&totals));
    let event = warp::post()
        .and(warp::path!("event"))
        .and(warp::body::content_length_limit(MAX_BODY_BYTES))
        .and(shared.clone())
        .and(warp::body::bytes())
        .map(|totals: Arc<Totals>, body| take(&totals, body));
    let stats = warp::get()
        .and(warp::path!("stats"))
        .and(shared)
        .map(|totals: Arc<Totals>| json(&totals.stats()));
    warp::serve(event.or(stats))
        .run(([127, 0, 0, 1], port))
        .await;
}
