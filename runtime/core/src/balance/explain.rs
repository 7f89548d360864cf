use tokio::time::Instant;

use super::{
    state::ChannelState,
    stats::{Ruling, ServiceStats},
    subchannel::{Connectivity, Subchannel},
};
use crate::{
    Explanation, ServiceExplanation, SubchannelExplanation, SubchannelState,
    policy::{Adaptive, circuit::BreakerState},
};

pub(super) fn explain(shared: &ChannelState) -> Explanation {
    let now = Instant::now();
    Explanation {
        subchannels: shared.subchannels.iter().map(|subchannel| subchannel_now(subchannel, now)).collect(),
        services: shared.methods.services().iter().map(|service| service_now(shared, service)).collect(),
        members: Vec::new(),
        budget: shared.budget.left(),
    }
}

fn subchannel_now(subchannel: &Subchannel, now: Instant) -> SubchannelExplanation {
    let state = match subchannel.state() {
        BreakerState::Untried => SubchannelState::Untried,
        BreakerState::Closed => SubchannelState::Closed,
        BreakerState::Suspected => SubchannelState::Suspected,
        BreakerState::Open { until } => SubchannelState::Open(until.saturating_duration_since(now)),
        BreakerState::HalfOpen => SubchannelState::HalfOpen,
    };
    let path = subchannel.path();
    SubchannelExplanation {
        transport: subchannel.transport,
        target: subchannel.target.clone(),
        state,
        failures: subchannel.failures(),
        waiting: subchannel.liveness.waiting(),
        round_trip: path.as_ref().and_then(|path| path.round_trip),
        path,
        latency: subchannel.score().latency(),
        last_answer: subchannel.last_answer().map(|at| now.saturating_duration_since(at)),
        is_failing: subchannel.is_failing(),
        last_error: subchannel.last_error().map(|(at, reason)| (reason, now.saturating_duration_since(at))),
    }
}

fn service_now(shared: &ChannelState, service: &ServiceStats) -> ServiceExplanation {
    let ruling = shared.methods.rule(&format!("/{}/", service.name));
    let (policy, order) = (&ruling.policy, &ruling.order);
    let transport = |place: usize| shared.subchannels[place].transport;
    let best = order.best(&shared.subchannels, |place| policy.fallback || place == order.first());
    let (connectivity, reason) = match best {
        Some((place, Connectivity::Ready)) if place != order.first() => {
            let why = match shared.subchannels[order.first()].connectivity() {
                Connectivity::Idle => "has not answered yet",
                _ => "does not work now",
            };
            (place, format!("{} is preferred and {why}", transport(order.first())))
        }
        Some((place, Connectivity::Ready)) => (place, rule(shared, service, &ruling)),
        _ => (order.first(), "nothing is known to work; the first call finds out".to_owned()),
    };
    let measured = policy.adaptive == Adaptive::Fastest
        && best.is_some_and(|(_, connectivity)| connectivity == Connectivity::Ready);
    let taken = if measured { order.at(service.choice.taken()) } else { connectivity };
    ServiceExplanation {
        name: service.name.clone(),
        taken: transport(taken),
        reason,
        scores: (0..shared.subchannels.len())
            .map(|place| {
                let score = service.score(place);
                (score.latency(), score.errors())
            })
            .collect(),
    }
}

fn rule(shared: &ChannelState, _: &ServiceStats, ruling: &Ruling) -> String {
    let policy = &ruling.policy;
    match policy.adaptive {
        Adaptive::Fastest => "it costs least by what has been measured, or was taken lately".to_owned(),
        Adaptive::Below(threshold) => {
            format!("the preferred one is taken while its latency is below {threshold:?}")
        }
        Adaptive::Off if policy.share < 1.0 => {
            format!("{:.1} % of the calls prefer it, the others the next", 100.0 * policy.share)
        }
        Adaptive::Off if policy.prefer.is_empty() => "it comes first in the channel".to_owned(),
        Adaptive::Off => {
            let known = policy
                .prefer
                .iter()
                .any(|name| shared.subchannels.iter().any(|subchannel| subchannel.transport == name));
            if known { "its policy prefers it" } else { "it comes first in the channel" }.to_owned()
        }
    }
}
