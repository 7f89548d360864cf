use std::{sync::Mutex, time::Duration};

use fastrand::Rng;
use polywire::{Context, Payload, Response, Service, Status, Streaming};
use tokio::time::Instant;

use crate::words::{Spoken, WordsServer};

/// How a transport is at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// How long a call takes, give or take a fifth; one in a hundred takes five times as long.
    pub latency: Duration,
    /// The share of calls that break off on the way.
    pub breaks: f64,
    /// Whether every call is refused at once.
    pub refuses: bool,
}

impl Weather {
    /// Calls take so many milliseconds, and none fails.
    pub const fn fair(ms: u64) -> Self {
        Self { latency: Duration::from_millis(ms), breaks: 0.0, refuses: false }
    }

    /// The same, but this share of calls breaks off.
    pub const fn breaking(self, breaks: f64) -> Self {
        Self { breaks, ..self }
    }

    /// Every call is refused.
    pub const REFUSING: Self = Self { refuses: true, ..Self::fair(0) };
}

/// A transport whose weather is written down.
pub(crate) struct Way {
    name: &'static str,
    begun: Instant,
    weather: fn(Duration) -> Weather,
    chance: Mutex<Rng>,
}

impl Way {
    pub(crate) fn new(name: &'static str, weather: fn(Duration) -> Weather, seed: u64) -> Self {
        Self { name, begun: Instant::now(), weather, chance: Mutex::new(Rng::with_seed(seed)) }
    }

    /// What every call and probe meets.
    async fn cross(&self) -> Result<(), Status> {
        let weather = (self.weather)(self.begun.elapsed());
        if weather.refuses {
            return Err(Status::unavailable("connection refused").not_processed());
        }
        let (latency, breaks) = {
            let mut chance = self.chance.lock().expect("nobody panics with it");
            let spread = if chance.u8(..100) == 0 { 5.0 } else { 0.8 + 0.4 * chance.f64() };
            (weather.latency.mul_f64(spread), chance.f64() < weather.breaks)
        };
        tokio::time::sleep(latency).await;
        if breaks { Err(Status::unavailable("the connection broke")) } else { Ok(()) }
    }
}

impl Service for Way {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.cross().await?;
        WordsServer::new(Spoken(self.name)).unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.cross().await?;
        WordsServer::new(Spoken(self.name)).stream(cx, messages).await
    }
}
