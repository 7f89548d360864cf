use std::time::Duration;

use tokio::time::Instant;

/// A rate limit for log lines; counts the suppressed ones.
#[derive(Debug)]
pub(super) struct Pace {
    most: u32,
    every: Duration,
    begun: Instant,
    told: u32,
    hidden: u64,
}

impl Pace {
    /// At most this many in a minute.
    pub(super) fn a_minute(most: u32) -> Self {
        Self { most, every: Duration::from_secs(60), begun: Instant::now(), told: 0, hidden: 0 }
    }

    /// Whether one more line may be logged, with the number of lines suppressed since the last one.
    pub(super) fn admit(&mut self) -> Option<Hidden> {
        if self.begun.elapsed() >= self.every {
            (self.begun, self.told) = (Instant::now(), 0);
        }
        if self.told == self.most {
            self.hidden += 1;
            return None;
        }
        self.told += 1;
        let hidden = std::mem::take(&mut self.hidden);
        Some((hidden > 0).then_some(hidden))
    }
}

/// How many lines were suppressed, as a field of the next one; `None` for none.
pub(super) type Hidden = Option<u64>;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_are_told_in_a_minute_and_the_others_counted() {
        let mut pace = Pace::a_minute(2);
        assert_eq!(
            [pace.admit(), pace.admit(), pace.admit(), pace.admit()],
            [Some(None), Some(None), None, None]
        );
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!([pace.admit(), pace.admit(), pace.admit()], [Some(Some(2)), Some(None), None]);
    }
}
