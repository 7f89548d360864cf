use std::collections::BTreeMap;

use polywire::Code;
use polywire_proto::monitoring::v1::{CallSide, GetTrafficResponse};

use super::{histogram::Histogram, proportion::Proportion};

/// The recent calls of several nodes, by service and transport.
#[derive(Clone, Debug, Default)]
pub(super) struct Traffic {
    pub(super) services: BTreeMap<String, ByTransport>,
    /// Over how long they were counted, in seconds.
    pub(super) seconds: f64,
}

/// The calls of one service by transport.
pub(super) type ByTransport = BTreeMap<String, Calls>;

/// The calls of one service over one transport.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    /// How many ended with each code.
    pub(super) by_code: BTreeMap<Code, u64>,
    /// Durations of the unary calls; a stream's duration is not a latency.
    pub(super) durations: Histogram,
}

/// The codes that say that the service failed, or the way to it; the others are answers. Those that [OpenTelemetry counts
/// as a server's errors](https://opentelemetry.io/docs/specs/semconv/rpc/grpc/#grpc-status), and `RESOURCE_EXHAUSTED`, for
/// limits are a transport's own too.
const FAILURES: [Code; 7] = [
    Code::Unknown,
    Code::DeadlineExceeded,
    Code::ResourceExhausted,
    Code::Unimplemented,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
];

impl Traffic {
    /// Adds one side of a node's calls.
    ///
    /// # Errors
    /// When the answer contradicts itself or the other nodes' buckets; nothing of it is added then.
    pub(super) fn add(&mut self, told: &GetTrafficResponse, side: CallSide) -> Result<(), String> {
        let mut sum = self.clone();
        for method in told.methods.iter().filter(|method| method.side() == side) {
            let service = sum.services.entry(method.service.clone()).or_default();
            let calls = service.entry(method.transport.clone()).or_default();
            for ended in &method.codes {
                let count = calls.by_code.entry(Code::from_number(ended.code.into())).or_default();
                *count = count.saturating_add(ended.calls);
            }
            if !method.streaming {
                calls.durations.add(&told.bounds, &method.durations)?;
            }
        }
        sum.seconds = sum.seconds.max(told.window_ms as f64 / 1e3);
        *self = sum;
        Ok(())
    }
}

impl Calls {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.by_code.values().fold(0, |sum, calls| sum.saturating_add(*calls))
    }

    /// How many of them failed.
    pub(super) fn failures(&self) -> Proportion {
        let failed = FAILURES.iter().filter_map(|code| self.by_code.get(code));
        Proportion { hits: failed.fold(0, |sum, calls| sum.saturating_add(*calls)), of: self.count() }
    }

    /// The code that most of the failures have.
    pub(super) fn usual_failure(&self) -> Option<Code> {
        let failed = self.by_code.iter().filter(|(code, _)| FAILURES.contains(code));
        failed.max_by_key(|(_, calls)| **calls).map(|(code, _)| *code)
    }
}

#[cfg(test)]
mod tests {
    use polywire_proto::monitoring::v1::{CodeCount, MethodTraffic};

    use super::*;

    fn method(name: &str, side: CallSide, codes: &[(u32, u64)], durations: [u64; 3]) -> MethodTraffic {
        MethodTraffic {
            side: side.into(),
            service: "shop.v1.Shop".to_owned(),
            method: name.to_owned(),
            transport: "iroh".to_owned(),
            streaming: name == "Watch",
            codes: codes.iter().map(|(code, calls)| CodeCount { code: *code, calls: *calls }).collect(),
            durations: durations.to_vec(),
        }
    }

    fn told(methods: Vec<MethodTraffic>) -> GetTrafficResponse {
        GetTrafficResponse { window_ms: 61_000, bounds: vec![0.1, 1.0], methods }
    }

    #[test]
    fn methods_and_nodes_are_added_up_and_streams_have_no_latency() {
        let one = told(vec![
            method("Buy", CallSide::Server, &[(0, 8), (5, 2)], [9, 1, 0]),
            method("Watch", CallSide::Server, &[(0, 3), (14, 1)], [0, 0, 4]),
            method("Buy", CallSide::Client, &[(0, 99)], [99, 0, 0]),
        ]);
        let mut traffic = Traffic::default();
        traffic.add(&one, CallSide::Server).unwrap();
        traffic.add(&one, CallSide::Server).unwrap();
        assert_eq!(traffic.seconds, 61.0);
        let calls = &traffic.services["shop.v1.Shop"]["iroh"];
        assert_eq!((calls.count(), calls.failures()), (28, Proportion { hits: 2, of: 28 }));
        assert_eq!(calls.usual_failure(), Some(Code::Unavailable));
        assert_eq!(calls.durations.calls(), 20);
    }

    #[test]
    fn what_does_not_fit_counts_for_nothing() {
        let mut traffic = Traffic::default();
        traffic
            .add(&told(vec![method("Buy", CallSide::Server, &[(0, 1)], [1, 0, 0])]), CallSide::Server)
            .unwrap();
        let mut other = told(vec![method("Buy", CallSide::Server, &[(0, 1)], [1, 0, 0])]);
        other.bounds = vec![0.2, 1.0];
        traffic.add(&other, CallSide::Server).unwrap_err();
        assert_eq!(traffic.services["shop.v1.Shop"]["iroh"].count(), 1);
    }
}
