use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use super::{Conditions, Counters, dice::Dice, packet::Protocol};

/// One direction of the link. It has no clock and no device: packets go in with the time, and come out when it has
/// come.
#[derive(Debug)]
pub(super) struct PacketQueue {
    conditions: Conditions,
    dice: Dice,
    counters: Counters,
    /// When all that was sent so far has left, at the rate.
    free_at: Option<Instant>,
    under_way: BinaryHeap<Reverse<UnderWay>>,
    /// How many were taken in.
    taken: u64,
    /// The greatest place of those that arrived.
    furthest: u64,
}

/// A packet between two sides.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct UnderWay {
    // The order of the fields is that of arrival.
    due: Instant,
    place: u64,
    packet: Box<[u8]>,
}

/// What chance has in store for one packet.
struct Fate {
    is_lost: bool,
    is_doubled: bool,
    is_held_back: bool,
    jitter: [Duration; 2],
}

/// How many packets are under way at most, at a rate or not: 24 MiB of the longest.
const MOST_UNDER_WAY: usize = 16_384;

impl PacketQueue {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            conditions: Conditions::default(),
            dice: Dice::new(seed),
            counters: Counters::default(),
            free_at: None,
            under_way: BinaryHeap::new(),
            taken: 0,
            furthest: 0,
        }
    }

    pub(super) fn set(&mut self, conditions: Conditions) {
        self.conditions = conditions;
        // What was sent at another rate says nothing about this one.
        self.free_at = None;
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes a packet in. What is not IPv4 is not for this link, and is not counted.
    pub(super) fn take(&mut self, packet: &[u8], now: Instant) {
        let Some(protocol) = Protocol::of(packet) else { return };
        self.taken += 1;
        let fate = self.fate();
        if let Some(count) = self.obstacle(protocol, packet.len(), &fate) {
            *count += 1;
            return;
        }
        if self.send(packet, &fate, fate.jitter[0], now) && fate.is_doubled {
            let again = self.send(packet, &fate, fate.jitter[1], now);
            self.counters.duplicated += u64::from(again);
        }
    }

    /// Always throws the dice as often, so that what happens to the next packet does not depend on this one.
    fn fate(&mut self) -> Fate {
        let Self { conditions, dice, .. } = self;
        Fate {
            is_lost: dice.percent(conditions.loss),
            is_doubled: dice.percent(conditions.duplicate),
            is_held_back: dice.percent(conditions.reorder),
            jitter: [dice.fraction(), dice.fraction()].map(|part| conditions.jitter.mul_f64(2.0 * part)),
        }
    }

    /// Where a packet is counted that does not get through.
    fn obstacle(&mut self, protocol: Protocol, bytes: usize, fate: &Fate) -> Option<&mut u64> {
        let Self { conditions, counters: Counters { dropped, .. }, .. } = self;
        match protocol {
            _ if conditions.down => Some(&mut dropped.down),
            Protocol::Udp if conditions.udp_dropped => Some(&mut dropped.udp),
            Protocol::Tcp if conditions.tcp_dropped => Some(&mut dropped.tcp),
            Protocol::Tcp if conditions.largest_tcp.is_some_and(|largest| bytes > largest) => {
                Some(&mut dropped.large)
            }
            _ if fate.is_lost => Some(&mut dropped.lost),
            _ => None,
        }
    }

    /// Takes a packet into the queue; false, and counted, if there is no room.
    fn send(&mut self, packet: &[u8], fate: &Fate, jitter: Duration, now: Instant) -> bool {
        let departure = match self.under_way.len() < MOST_UNDER_WAY {
            true => self.departure(packet.len(), now),
            false => None,
        };
        let Some(departure) = departure else {
            self.counters.dropped.overflow += 1;
            return false;
        };
        let delay = (self.conditions.delay + jitter).saturating_sub(self.conditions.jitter);
        let held_back = if fate.is_held_back { Conditions::HELD_BACK } else { Duration::ZERO };
        let due = departure + delay + held_back;
        self.under_way.push(Reverse(UnderWay { due, place: self.taken, packet: packet.into() }));
        true
    }

    /// When the last bit of a packet of so many bytes has left; `None` if the queue has no room for it.
    fn departure(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        let Some(rate) = self.conditions.rate else { return Some(now) };
        let free_at = self.free_at.map_or(now, |free_at| free_at.max(now));
        let queued = (free_at - now).as_secs_f64() * rate as f64 / 8.0;
        if queued + bytes as f64 > self.conditions.queue as f64 {
            return None;
        }
        let departure = free_at + Duration::from_secs_f64(bytes as f64 * 8.0 / rate as f64);
        self.free_at = Some(departure);
        Some(departure)
    }

    /// When the next packet arrives.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse(next)| next.due)
    }

    /// Hands over what has arrived by now, to what says whether it took the packet. Whoever sees one on the other side
    /// finds it counted: nobody reads the counters meanwhile.
    pub(super) fn deliver(&mut self, now: Instant, mut hand_over: impl FnMut(&[u8]) -> bool) {
        while self.next_due().is_some_and(|due| due <= now) {
            let Some(Reverse(UnderWay { place, packet, .. })) = self.under_way.pop() else { return };
            if !hand_over(&packet) {
                self.counters.dropped.refused += 1;
                continue;
            }
            self.counters.forwarded += 1;
            // A second copy that comes right after the first is in order.
            self.counters.reordered += u64::from(place < self.furthest);
            self.furthest = self.furthest.max(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Dropped;

    /// As little as is a packet, with its number in it.
    fn packet(protocol: u8, number: u16) -> Vec<u8> {
        let mut packet = vec![0; 100];
        packet[0] = 0x45;
        packet[9] = protocol;
        packet[98..].copy_from_slice(&number.to_be_bytes());
        packet
    }

    const UDP: u8 = 17;

    /// The numbers of the packets that have arrived by then, and what is counted.
    fn arrived(queue: &mut PacketQueue, now: Instant) -> Vec<u16> {
        let mut numbers = Vec::new();
        queue.deliver(now, |packet| {
            numbers.push(u16::from_be_bytes([packet[98], packet[99]]));
            true
        });
        numbers
    }

    /// What arrives at last of a thousand packets, one a millisecond.
    fn thousand(seed: u64, conditions: Conditions) -> (Vec<u16>, Counters) {
        let mut queue = PacketQueue::new(seed);
        queue.set(conditions);
        let begun = Instant::now();
        for number in 0..1_000 {
            queue.take(&packet(UDP, number), begun + Duration::from_millis(number.into()));
        }
        (arrived(&mut queue, begun + Duration::from_secs(3_600)), queue.counters())
    }

    #[test]
    fn a_good_link_passes_everything_on_at_once_and_in_order() {
        let (numbers, counters) = thousand(0, Conditions::default());
        assert_eq!(numbers, Vec::from_iter(0..1_000));
        assert_eq!(counters, Counters { forwarded: 1_000, ..Counters::default() });
    }

    #[test]
    fn a_packet_is_under_way_for_the_delay_and_at_most_the_jitter_more_or_less() {
        let mut queue = PacketQueue::new(0);
        let (delay, jitter) = (Duration::from_millis(50), Duration::from_millis(10));
        queue.set(Conditions { delay, jitter, ..Conditions::default() });
        let now = Instant::now();
        let dues = Vec::from_iter((0..1_000).map(|number| {
            queue.take(&packet(UDP, number), now);
            let due = queue.next_due().unwrap() - now;
            arrived(&mut queue, now + Duration::from_secs(1));
            due
        }));
        let (earliest, latest) = (dues.iter().min().unwrap(), dues.iter().max().unwrap());
        assert!((Duration::from_millis(40)..Duration::from_millis(41)).contains(earliest), "{earliest:?}");
        assert!((Duration::from_millis(59)..Duration::from_millis(60)).contains(latest), "{latest:?}");
    }

    #[test]
    fn the_seed_alone_decides_which_packets_are_lost_doubled_and_held_back() {
        let conditions = Conditions { loss: 10.0, duplicate: 10.0, reorder: 10.0, ..Conditions::default() };
        let first = thousand(7, conditions);
        assert_eq!(thousand(7, conditions), first);
        assert_ne!(thousand(8, conditions).0, first.0);
        let Counters { forwarded, duplicated, reordered, dropped } = first.1;
        assert_eq!(forwarded, 1_000 + duplicated - dropped.lost);
        for count in [duplicated, reordered, dropped.lost] {
            // Four standard deviations.
            assert!((62..=138).contains(&count), "{:?}", first.1);
        }
    }

    #[test]
    fn packets_leave_no_faster_than_the_rate_and_what_the_queue_cannot_hold_is_dropped() {
        let mut queue = PacketQueue::new(0);
        // A packet of 100 bytes a millisecond, and ten of them may wait.
        queue.set(Conditions { rate: Some(800_000), queue: 1_000, ..Conditions::default() });
        let now = Instant::now();
        for number in 0..20 {
            queue.take(&packet(UDP, number), now);
        }
        assert_eq!(queue.counters().dropped, Dropped { overflow: 10, ..Dropped::default() });
        assert_eq!(arrived(&mut queue, now), [0_u16; 0]);
        assert_eq!(arrived(&mut queue, now + Duration::from_millis(5)), [0, 1, 2, 3, 4]);
        queue.take(&packet(UDP, 20), now + Duration::from_millis(5));
        assert_eq!(arrived(&mut queue, now + Duration::from_millis(11)), [5, 6, 7, 8, 9, 20]);
    }

    #[test]
    fn what_is_under_way_has_a_bound() {
        let mut queue = PacketQueue::new(0);
        queue.set(Conditions { delay: Duration::from_secs(1), ..Conditions::default() });
        let now = Instant::now();
        for _ in 0..MOST_UNDER_WAY + 3 {
            queue.take(&packet(UDP, 0), now);
        }
        assert_eq!(queue.under_way.len(), MOST_UNDER_WAY);
        assert_eq!(queue.counters().dropped, Dropped { overflow: 3, ..Dropped::default() });
    }

    #[test]
    fn what_the_other_side_does_not_take_is_dropped() {
        let mut queue = PacketQueue::new(0);
        let now = Instant::now();
        queue.take(&packet(UDP, 0), now);
        queue.deliver(now, |_| false);
        let dropped = Dropped { refused: 1, ..Dropped::default() };
        assert_eq!(queue.counters(), Counters { dropped, ..Counters::default() });
        assert_eq!(dropped.total(), 1);
    }

    #[test]
    fn what_is_not_ipv4_is_neither_passed_on_nor_counted() {
        let mut queue = PacketQueue::new(0);
        let now = Instant::now();
        let mut version_6 = packet(UDP, 0);
        version_6[0] = 0x60;
        for packet in [version_6.as_slice(), &version_6[..1], &[]] {
            queue.take(packet, now);
        }
        assert_eq!(arrived(&mut queue, now), [0_u16; 0]);
        assert_eq!(queue.counters(), Counters::default());
    }
}
