use std::sync::Arc;

use tokio::time::Instant;

use super::{
    order::{MOST, Order},
    stats::{MethodStats, Ruling},
    subchannel::{Connectivity, Subchannel},
};
use crate::policy::{Adaptive, choice::Candidate, score::Score};

/// The order in which the next call of a method takes the subchannels, by its policy: what it prefers, its share, and what has
/// been measured. Whether they work is not looked at, but by the adaptive choice.
pub(super) fn order(subchannels: &[Arc<Subchannel>], method: &MethodStats, ruling: &Ruling) -> Order {
    let Ruling { policy, order, .. } = ruling;
    let mut order = *order;
    if order.len() > 1 {
        let lead = match policy.adaptive {
            Adaptive::Off => usize::from(!method.share.takes(policy.share)),
            adaptive => measured(subchannels, method, ruling, &order, adaptive),
        };
        order = order.led_by(lead);
    }
    if policy.fallback { order } else { order.only_first() }
}

fn measured(
    subchannels: &[Arc<Subchannel>],
    method: &MethodStats,
    ruling: &Ruling,
    order: &Order,
    adaptive: Adaptive,
) -> usize {
    let mut candidates = [Candidate { works: false, score: Default::default() }; MOST];
    for (candidate, place) in candidates.iter_mut().zip(order.iter()) {
        let works = subchannels[place].connectivity() == Connectivity::Up;
        // A call that says nothing of a transport goes by what others have said of it.
        let measured = ruling.policy.measured;
        let score = if measured { method.service.score(place) } else { subchannels[place].score() };
        *candidate = Candidate { works, score };
    }
    let candidates = &mut candidates[..order.len()];
    let now = Instant::now();
    if let Some(tried) = leave_outliers(candidates, |position| {
        let place = order.at(position);
        ruling.policy.measured && method.service.try_again(place, now)
    }) {
        return tried;
    }
    let age = subchannels[0].liveness.age(now);
    method.service.choice.next(adaptive, candidates, now, age)
}

/// Takes those that fail far more than the best for such as do not work; gives one of them that is to be tried now.
fn leave_outliers(candidates: &mut [Candidate], mut is_due: impl FnMut(usize) -> bool) -> Option<usize> {
    if !candidates.iter().any(|candidate| candidate.score.is_flawed()) {
        return None;
    }
    let working = candidates.iter().filter(|candidate| candidate.works);
    let least = Score::least_errors(working.map(|candidate| &candidate.score))?;
    for (position, candidate) in candidates.iter_mut().enumerate() {
        if candidate.works && candidate.score.is_outlier(least) {
            if is_due(position) {
                return Some(position);
            }
            candidate.works = false;
        }
    }
    None
}
