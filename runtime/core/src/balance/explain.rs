use tokio::time::Instant;

use super::{
    route::{Route, Standing},
    scores::{Ruling, ServiceScores},
    shared::Shared,
};
use crate::{
    Explanation, RouteExplanation, RouteState, ServiceExplanation,
    policy::{Adaptive, circuit::State},
};

pub(super) fn explain(shared: &Shared) -> Explanation {
    let now = Instant::now();
    Explanation {
        routes: shared.routes.iter().map(|route| route_now(route, now)).collect(),
        services: shared.methods.services().iter().map(|service| service_now(shared, service)).collect(),
        members: Vec::new(),
        budget: shared.budget.left(),
    }
}

fn route_now(route: &Route, now: Instant) -> RouteExplanation {
    let state = match route.state() {
        State::Untried => RouteState::Untried,
        State::Closed => RouteState::Closed,
        State::Suspected => RouteState::Suspected,
        State::Open { until } => RouteState::Open(until.saturating_duration_since(now)),
        State::HalfOpen => RouteState::HalfOpen,
    };
    let path = route.path();
    RouteExplanation {
        transport: route.transport,
        target: route.target.clone(),
        state,
        failures: route.failures(),
        waiting: route.pulse.waiting(),
        round_trip: path.as_ref().and_then(|path| path.round_trip),
        path,
        latency: route.score().latency(),
        last_answer: route.last_answer().map(|at| now.saturating_duration_since(at)),
        is_failing: route.is_failing(),
        last_error: route.last_error().map(|(at, reason)| (reason, now.saturating_duration_since(at))),
    }
}

fn service_now(shared: &Shared, service: &ServiceScores) -> ServiceExplanation {
    let ruling = shared.methods.rule(&format!("/{}/", service.name));
    let (policy, order) = (&ruling.policy, &ruling.order);
    let transport = |place: usize| shared.routes[place].transport;
    let best = order.best(&shared.routes, |place| policy.fallback || place == order.first());
    let (standing, reason) = match best {
        Some((place, Standing::Up)) if place != order.first() => {
            let why = match shared.routes[order.first()].standing() {
                Standing::Untried => "has not answered yet",
                _ => "does not work now",
            };
            (place, format!("{} is preferred and {why}", transport(order.first())))
        }
        Some((place, Standing::Up)) => (place, rule(shared, service, &ruling)),
        _ => (order.first(), "nothing is known to work; the first call finds out".to_owned()),
    };
    let measured =
        policy.adaptive == Adaptive::Fastest && best.is_some_and(|(_, standing)| standing == Standing::Up);
    let taken = if measured { order.at(service.choice.taken()) } else { standing };
    ServiceExplanation {
        name: service.name.clone(),
        taken: transport(taken),
        reason,
        scores: (0..shared.routes.len())
            .map(|place| {
                let score = service.score(place);
                (score.latency(), score.errors())
            })
            .collect(),
    }
}

fn rule(shared: &Shared, _: &ServiceScores, ruling: &Ruling) -> String {
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
            let known =
                policy.prefer.iter().any(|name| shared.routes.iter().any(|route| route.transport == name));
            if known { "its policy prefers it" } else { "it comes first in the channel" }.to_owned()
        }
    }
}
