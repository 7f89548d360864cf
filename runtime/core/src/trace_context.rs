use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    str::FromStr,
};

mod state;

use crate::Metadata;

/// The trace context of a call: the trace, the calling span, and whether it is recorded.
///
/// It is what the header `traceparent` says, read as
/// [W3C Trace Context, section 3.2](https://www.w3.org/TR/trace-context/#traceparent-header) asks, with the
/// `tracestate` beside it.
///
/// ```
/// use polywire::TraceContext;
///
/// let trace: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
/// assert_eq!(trace.span_id(), 0x00f0_67aa_0ba9_02b7);
/// assert!(trace.is_sampled());
/// # Ok::<(), polywire::InvalidTraceParent>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
    state: Box<str>,
}

/// A text that is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a traceparent; expected one such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, in lower case"
)]
pub struct InvalidTraceParent;

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// The flag of a recorded trace.
const SAMPLED: u8 = 0b01;

/// The trace's id is random. Source:
/// [W3C Trace Context Level 2](https://www.w3.org/TR/trace-context-2/#random-trace-id-flag).
const RANDOM: u8 = 0b10;

impl TraceContext {
    /// A place in a trace; `None` where an id is 0, which stands for none. Of the flags those are kept that have a
    /// meaning: 1 for sampled, 2 for a random trace id.
    pub fn new(trace_id: u128, span_id: u64, flags: u8) -> Option<Self> {
        let valid = trace_id != 0 && span_id != 0;
        valid.then(|| Self { trace_id, span_id, flags: flags & (SAMPLED | RANDOM), state: Box::default() })
    }

    /// A new trace that is not recorded, for calls whose traces are of no use, such as heartbeats.
    pub fn unsampled() -> Self {
        // What hash maps are seeded with is random enough to be told from other traces.
        let random = || RandomState::new().hash_one(()).max(1);
        let trace_id = u128::from(random()) << 64 | u128::from(random());
        Self { trace_id, span_id: random(), flags: RANDOM, state: Box::default() }
    }

    /// The same place, with what vendors of tracing systems keep beside it. One that is not of the form
    /// `key=value,…` is left out, as
    /// [section 3.3](https://www.w3.org/TR/trace-context/#tracestate-header) asks.
    #[must_use]
    pub fn with_state(mut self, state: &str) -> Self {
        self.state = if state::is_valid(state) { state.into() } else { Box::default() };
        self
    }

    /// The trace's id.
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The id of the span that makes the call.
    pub fn span_id(&self) -> u64 {
        self.span_id
    }

    /// Whether the caller records the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The flags.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// What is kept beside it, as it travels; empty where there is nothing.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// What the metadata of a call say. A malformed `traceparent` is none, as is one of several.
    pub(crate) fn read(metadata: &Metadata) -> Option<Self> {
        let mut parents = metadata.get_all(PARENT);
        let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
        let parent: Self = parent.parse().ok()?;
        let mut states = metadata.get_all(STATE);
        let Some(first) = states.next() else { return Some(parent) };
        // Several headers are one list.
        let state = states.fold(first.to_owned(), |list, next| list + "," + next);
        Some(parent.with_state(&state))
    }

    /// Whether the metadata name a trace, be it malformed.
    pub(crate) fn is_in(metadata: &Metadata) -> bool {
        metadata.get(PARENT).is_some()
    }

    /// Puts it into the metadata, in the place of another.
    pub(crate) fn write(&self, metadata: &mut Metadata) {
        metadata.remove(STATE);
        // Both are printable ASCII, under keys that are not reserved.
        let _ = metadata.insert(PARENT, self.to_string());
        if !self.state.is_empty() {
            let _ = metadata.append(STATE, self.state.to_string());
        }
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        parse(text.as_bytes()).ok_or(InvalidTraceParent)
    }
}

/// `VERSION-TRACE_ID-SPAN_ID-FLAGS`; a version that is not known yet may have more behind it.
fn parse(text: &[u8]) -> Option<TraceContext> {
    let (known, rest) = text.split_at_checked(LENGTH)?;
    let [b'-', separated @ ..] = known.get(2..)? else { return None };
    let (trace_id, separated) = separated.split_at_checked(32)?;
    let [b'-', separated @ ..] = separated else { return None };
    let (span_id, separated) = separated.split_at_checked(16)?;
    let [b'-', flags @ ..] = separated else { return None };
    match (hexadecimal(&known[..2])?, rest) {
        (0, []) => {}
        (1..=0xfe, [] | [b'-', ..]) => {}
        _ => return None,
    }
    let span_id = u64::try_from(hexadecimal(span_id)?).ok()?;
    let flags = u8::try_from(hexadecimal(flags)?).ok()?;
    TraceContext::new(hexadecimal(trace_id)?, span_id, flags)
}

const LENGTH: usize = 55;

/// Up to 32 digits. Capital letters are none.
fn hexadecimal(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

/// The `traceparent`, of the version that this is: 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({self}")?;
        if !self.state.is_empty() {
            write!(f, ", {}", self.state)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of the specification.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn metadata(entries: &[(&str, &str)]) -> Metadata {
        let mut metadata = Metadata::new();
        for (key, value) in entries {
            metadata.append(key, *value).unwrap();
        }
        metadata
    }

    #[test]
    fn the_specifications_examples_are_read_and_written_as_they_are() {
        for text in [EXAMPLE, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"] {
            let trace: TraceContext = text.parse().unwrap();
            assert_eq!(trace.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
            assert_eq!(trace.span_id(), 0x00f0_67aa_0ba9_02b7);
            assert_eq!(trace.is_sampled(), text.ends_with("01"));
            assert_eq!(trace.to_string(), text);
        }
    }

    #[test]
    fn a_version_to_come_is_read_as_far_as_it_is_known_and_passed_on_in_ours() {
        for text in
            [EXAMPLE.replacen("00", "cc", 1), EXAMPLE.replacen("00", "cc", 1) + "-what-the-future-brings"]
        {
            assert_eq!(text.parse::<TraceContext>().unwrap().to_string(), EXAMPLE, "{text}");
        }
    }

    #[test]
    fn flags_without_a_meaning_are_not_passed_on() {
        let trace: TraceContext = EXAMPLE.replace("-01", "-ff").parse().unwrap();
        assert_eq!(trace.flags(), 0b11);
        assert!(!EXAMPLE.replace("-01", "-fc").parse::<TraceContext>().unwrap().is_sampled());
    }

    #[test]
    fn a_malformed_parent_is_none() {
        let longer = format!("{EXAMPLE}-00");
        let joined = format!("{EXAMPLE}, {EXAMPLE}");
        let version_and_more = EXAMPLE.replacen("00", "cc", 1) + ".x";
        for text in [
            "",
            "00",
            &EXAMPLE[..54],
            longer.as_str(),
            joined.as_str(),
            version_and_more.as_str(),
            &EXAMPLE.replacen("00", "ff", 1),
            &EXAMPLE.to_uppercase(),
            &EXAMPLE.replace('-', "_"),
            &EXAMPLE.replace("4bf", "g00"),
            &EXAMPLE.replace("4bf", "+bf"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b\u{e9}-01",
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(InvalidTraceParent), "{text}");
        }
    }

    #[test]
    fn of_two_parents_nobody_knows_which_is_meant() {
        assert_eq!(TraceContext::read(&metadata(&[(PARENT, EXAMPLE), (PARENT, EXAMPLE)])), None);
    }

    #[test]
    fn a_state_in_several_entries_is_one_list_and_a_malformed_one_is_left_out() {
        let read = |states: &[&str]| {
            let states = states.iter().map(|state| (STATE, *state));
            TraceContext::read(&metadata(&Vec::from_iter(std::iter::once((PARENT, EXAMPLE)).chain(states))))
        };
        assert_eq!(
            read(&["rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE"]).unwrap().state(),
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
        );
        assert_eq!(read(&["rojo=1", "Congo=2"]).unwrap().state(), "");
        assert_eq!(TraceContext::read(&metadata(&[(STATE, "rojo=1")])), None);
    }

    #[test]
    fn what_is_written_replaces_what_was_there() {
        let mut metadata =
            metadata(&[(PARENT, "nonsense"), (STATE, "old=1"), ("tenant", "blue"), (PARENT, EXAMPLE)]);
        let trace = TraceContext::new(1, 2, 1).unwrap().with_state("new=1");
        trace.write(&mut metadata);
        assert_eq!(TraceContext::read(&metadata), Some(trace));
        assert_eq!(metadata.get_all(STATE).collect::<Vec<_>>(), ["new=1"]);
        assert_eq!(metadata.len(), 3);
    }

    #[test]
    fn traces_that_nobody_records_are_told_from_each_other() {
        let (one, other) = (TraceContext::unsampled(), TraceContext::unsampled());
        assert!(!one.is_sampled());
        assert_ne!(one.trace_id(), other.trace_id());
        assert_eq!(one.to_string().parse(), Ok(one));
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_read_or_refused(text in "\\PC*") {
            if let Ok(trace) = text.parse::<TraceContext>() {
                prop_assert_eq!(trace.to_string().parse(), Ok(trace));
            }
        }

        #[test]
        fn what_looks_like_a_parent_is_read_or_refused(text in "[0-9a-f]{2}-[0-9a-f]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{1,3}(-.*)?") {
            if let Ok(trace) = text.parse::<TraceContext>() {
                let ids = format!("-{:032x}-{:016x}-", trace.trace_id(), trace.span_id());
                prop_assert!(text.contains(&ids), "{}", ids);
            }
        }
    }
}
