use std::ops::RangeInclusive;

use openraft::LogId;

/// Terms and indexes are below this, 2⁶², so that no sum of two overflows. At a million entries a second, a log gets there after
/// 146,000 years.
pub(in crate::raft) const CEILING: u64 = 1 << 62;

/// The end of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::raft) struct Tail {
    /// The last entry that has left the log.
    pub(in crate::raft) purged: Option<LogId<u64>>,
    /// The last entry, or the last that has left the log where it is empty.
    pub(in crate::raft) last: Option<LogId<u64>>,
    /// An entry from which on all are of the leader of the last one.
    since: Option<LogId<u64>>,
}

impl Tail {
    /// Of a log that ends with this entry; `None` for an empty one.
    pub(super) fn new(purged: Option<LogId<u64>>, last: Option<LogId<u64>>) -> Self {
        let last = last.or(purged);
        Self { purged, last, since: last }
    }

    /// One entry more.
    ///
    /// # Errors
    /// Where it does not follow the last one.
    pub(super) fn push(&mut self, id: LogId<u64>) -> Result<(), String> {
        let expected = self.last.map_or(Some(0), |last| last.index.checked_add(1));
        if Some(id.index) != expected {
            let expected = expected.unwrap_or(u64::MAX);
            return Err(format!("the entry {id} leaves a gap; expected index {expected}"));
        }
        match self.last {
            Some(last) if id.leader_id < last.leader_id => {
                return Err(format!("the entry {id} is of an earlier term than {last} before it"));
            }
            Some(last) if id.leader_id == last.leader_id => {}
            _ => self.since = Some(id),
        }
        self.last = Some(id);
        Ok(())
    }

    /// Without the entries from this index on. `last` is the last that is left.
    pub(super) fn cut(self, from: u64, last: Option<LogId<u64>>) -> Self {
        match self.last {
            Some(end) if from > end.index => self,
            _ => Self::new(self.purged, last),
        }
    }

    /// Without the entries up to this one, which may be ahead of the log.
    ///
    /// # Errors
    /// Where more have left the log.
    pub(super) fn purge(self, upto: LogId<u64>) -> Result<Self, String> {
        if let Some(purged) = self.purged.filter(|purged| upto.index < purged.index) {
            return Err(format!(
                "entries up to {upto} cannot leave the log: those up to {purged} have left it"
            ));
        }
        match self.last {
            Some(last) if last.index > upto.index => {
                let since = self.since.map(|since| if since.index < upto.index { upto } else { since });
                let since = since.filter(|since| since.leader_id == last.leader_id).or(Some(last));
                Ok(Self { purged: Some(upto), since, ..self })
            }
            _ => Ok(Self::new(Some(upto), None)),
        }
    }

    /// The entry at this index, where it is known without a look at the log.
    pub(in crate::raft) fn at(&self, index: u64) -> Option<LogId<u64>> {
        if let Some(purged) = self.purged.filter(|purged| purged.index == index) {
            return Some(purged);
        }
        let (since, last) = (self.since?, self.last?);
        let is_known = since.index <= index && index <= last.index;
        is_known.then(|| LogId::new(last.leader_id, index))
    }

    /// Those of these indexes that only the log knows.
    pub(in crate::raft) fn unknown(&self, least: u64, most: u64) -> Option<RangeInclusive<u64>> {
        let first = self.purged.map_or(0, |purged| purged.index.saturating_add(1));
        let end = self.since?.index;
        let (least, most) = (least.max(first), most.min(end.checked_sub(1)?));
        (least <= most).then_some(least..=most)
    }
}

#[cfg(test)]
mod tests {
    use openraft::CommittedLeaderId;

    use super::*;

    fn id(term: u64, index: u64) -> LogId<u64> {
        LogId::new(CommittedLeaderId::new(term, 1), index)
    }

    fn tail(ids: impl IntoIterator<Item = LogId<u64>>) -> Tail {
        let mut tail = Tail::default();
        ids.into_iter().for_each(|id| tail.push(id).unwrap());
        tail
    }

    #[test]
    fn entries_follow_one_another() {
        for (before, next) in [
            (vec![], id(1, 1)),
            (vec![id(1, 0)], id(1, 0)),
            (vec![id(1, 0)], id(1, 2)),
            (vec![id(2, 0)], id(1, 1)),
        ] {
            let mut tail = tail(before);
            let same = tail;
            tail.push(next).unwrap_err();
            assert_eq!(tail, same);
        }
        let mut full = Tail::new(Some(id(1, u64::MAX)), None);
        full.push(id(1, u64::MAX)).unwrap_err();
    }

    #[test]
    fn what_is_of_the_last_leader_is_known_and_the_rest_is_looked_up() {
        let tail = tail([id(0, 0), id(1, 1), id(1, 2), id(2, 3), id(2, 4)]);
        assert_eq!(tail.at(2), None);
        assert_eq!([tail.at(3), tail.at(4), tail.at(5)], [Some(id(2, 3)), Some(id(2, 4)), None]);
        assert_eq!(tail.unknown(1, 9), Some(1..=2));
        assert_eq!(tail.unknown(3, 9), None);
        let tail = tail.purge(id(1, 1)).unwrap();
        assert_eq!((tail.at(1), tail.unknown(0, 9)), (Some(id(1, 1)), Some(2..=2)));
    }

    #[test]
    fn a_log_ends_where_it_was_cut_and_starts_where_it_was_purged() {
        let whole = tail([id(0, 0), id(1, 1), id(2, 2), id(2, 3)]);
        assert_eq!(whole.cut(4, Some(id(2, 3))), whole);
        let cut = whole.cut(2, Some(id(1, 1)));
        assert_eq!((cut.last, cut.at(2)), (Some(id(1, 1)), None));
        let purged = whole.purge(id(2, 3)).unwrap();
        assert_eq!((purged.last, purged.purged), (Some(id(2, 3)), Some(id(2, 3))));
        purged.purge(id(2, 2)).unwrap_err();
        let ahead = whole.purge(id(3, 100)).unwrap();
        assert_eq!(ahead.last, Some(id(3, 100)));
        let part = whole.purge(id(2, 2)).unwrap();
        assert_eq!((part.at(2), part.at(3), part.unknown(0, 9)), (Some(id(2, 2)), Some(id(2, 3)), None));
        let part = whole.purge(id(1, 1)).unwrap();
        assert_eq!((part.at(1), part.at(2), part.at(3)), (Some(id(1, 1)), Some(id(2, 2)), Some(id(2, 3))));
    }
}
