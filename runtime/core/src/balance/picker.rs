use std::sync::Arc;

use tokio::time::Instant;

use super::{
    stats::{MethodStats, Ruling},
    subchannel::{Connectivity, Subchannel},
};
use crate::policy::{Adaptive, choice::Candidate, score::Score};

/// How many transports a channel may have.
pub(super) const MOST: usize = 8;

/// Subchannels by their place in the channel, the one to be taken first in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    places: [u8; MOST],
    len: u8,
}

impl Order {
    fn of(places: impl IntoIterator<Item = usize>) -> Self {
        let mut order = Self { places: [0; MOST], len: 0 };
        for place in places.into_iter().take(MOST) {
            order.places[usize::from(order.len)] = place as u8;
            order.len += 1;
        }
        order
    }

    /// Those that are preferred by name in front, the others behind as they are.
    pub(super) fn preferring(preferred: &[String], transports: &[&'static str]) -> Self {
        let rank = |place: &usize| {
            preferred.iter().position(|name| *name == transports[*place]).unwrap_or(preferred.len())
        };
        let mut places: Vec<usize> = (0..transports.len()).collect();
        places.sort_by_key(rank);
        Self::of(places)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.places[..usize::from(self.len)].iter().map(|place| usize::from(*place))
    }

    pub(super) fn at(&self, position: usize) -> usize {
        usize::from(self.places[position.min(self.len().saturating_sub(1))])
    }

    pub(super) fn first(&self) -> usize {
        usize::from(self.places[0])
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub(super) fn only_first(mut self) -> Self {
        self.len = self.len.min(1);
        self
    }

    /// Keeps the entries whose bit is set in `places`, or all if none is: the peer then decides.
    pub(super) fn among(self, places: u8) -> Self {
        let left = Self::of(self.iter().filter(|place| places & (1 << place) != 0));
        if left.len == 0 { self } else { left }
    }

    /// The same with the one at this position in front.
    pub(super) fn led_by(mut self, position: usize) -> Self {
        self.places[..=position].rotate_right(1);
        self
    }

    /// The first in the best connectivity among those that `allowed` says yes to.
    pub(super) fn best(
        &self,
        subchannels: &[Arc<Subchannel>],
        allowed: impl Fn(usize) -> bool,
    ) -> Option<(usize, Connectivity)> {
        let mut best: Option<(usize, Connectivity)> = None;
        for place in self.iter().filter(|place| allowed(*place)) {
            let connectivity = subchannels[place].connectivity();
            if connectivity == Connectivity::Ready {
                return Some((place, connectivity));
            }
            if best.is_none_or(|(_, best)| connectivity < best) {
                best = Some((place, connectivity));
            }
        }
        best
    }
}

/// The order in which the next call of a method takes the subchannels, by its policy: what it prefers, its share, and what has
/// been measured. Whether they work is not looked at, but by the adaptive choice.
pub(super) fn pick(subchannels: &[Arc<Subchannel>], method: &MethodStats, ruling: &Ruling) -> Order {
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
        let works = subchannels[place].connectivity() == Connectivity::Ready;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_preferred_comes_first_and_the_rest_stays() {
        let transports = ["grpc", "iroh", "unix"];
        let places = |preferred: &[&str]| {
            let preferred: Vec<_> = preferred.iter().map(|name| (*name).to_owned()).collect();
            Order::preferring(&preferred, &transports).iter().collect::<Vec<_>>()
        };
        assert_eq!(places(&[]), [0, 1, 2]);
        assert_eq!(places(&["unix"]), [2, 0, 1]);
        assert_eq!(places(&["pigeon", "iroh", "grpc"]), [1, 0, 2]);
    }

    #[test]
    fn the_leader_passes_those_before_it() {
        let order = Order::of([0, 1, 2]);
        assert_eq!(order.led_by(2).iter().collect::<Vec<_>>(), [2, 0, 1]);
        assert_eq!(order.led_by(0), order);
        assert_eq!(order.only_first().iter().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn those_that_do_not_serve_are_left_out_unless_none_does() {
        let order = Order::of([2, 0, 1]);
        assert_eq!(order.among(0b101).iter().collect::<Vec<_>>(), [2, 0]);
        assert_eq!(order.among(0b1000), order);
    }
}
