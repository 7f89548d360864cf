use std::sync::Arc;

use tokio::time::Instant;

use super::{
    order::{MOST, Order},
    route::{Route, Standing},
    scores::{MethodScores, Ruling},
};
use crate::policy::{Adaptive, choice::Candidate};

/// The order in which the next call of a method takes the routes, by its policy: what it prefers, its share, and what has
/// been measured. Whether they work is not looked at, but by the adaptive choice.
pub(super) fn order(routes: &[Arc<Route>], method: &MethodScores, ruling: &Ruling) -> Order {
    let Ruling { policy, order, .. } = ruling;
    let mut order = *order;
    if order.len() > 1 {
        let lead = match policy.adaptive {
            Adaptive::Off => usize::from(!method.share.takes(policy.share)),
            adaptive => measured(routes, method, ruling, &order, adaptive),
        };
        order = order.led_by(lead);
    }
    if policy.fallback { order } else { order.only_first() }
}

fn measured(
    routes: &[Arc<Route>],
    method: &MethodScores,
    ruling: &Ruling,
    order: &Order,
    adaptive: Adaptive,
) -> usize {
    let mut candidates = [Candidate { works: false, score: Default::default() }; MOST];
    for (candidate, place) in candidates.iter_mut().zip(order.iter()) {
        let works = routes[place].standing() == Standing::Up;
        // A call that says nothing of a transport goes by what others have said of it.
        let measured = ruling.policy.measured;
        let score = if measured { method.service.score(place) } else { routes[place].score() };
        *candidate = Candidate { works, score };
    }
    let now = Instant::now();
    let age = routes[0].pulse.age(now);
    method.service.choice.next(adaptive, &candidates[..order.len()], now, age)
}
