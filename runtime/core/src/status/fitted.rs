use std::borrow::Cow;

use super::Status;
use crate::Metadata;

/// What the parts of a status weigh where it is written, in bytes.
pub(crate) struct Scale {
    /// A part of the message.
    pub(crate) message: fn(&str) -> usize,
    /// Details of so many bytes.
    pub(crate) details: fn(usize) -> usize,
    /// The metadata.
    pub(crate) metadata: fn(&Metadata) -> usize,
}

/// As much of a status as there is room for, beside its code.
pub(crate) struct Fitted<'a> {
    /// The message; where it is not the status' own, it says what was left out.
    pub(crate) message: Cow<'a, str>,
    /// Empty where they were left out.
    pub(crate) details: &'a [u8],
    /// `None` where they were left out.
    pub(crate) metadata: Option<&'a Metadata>,
}

impl Status {
    /// As much of it as fits. The message is for people, and its end gives way first; what programs read is either whole
    /// or left out, the details before the metadata, and an eighth of the room remains for the message.
    pub(crate) fn fitted(&self, room: usize, scale: &Scale) -> Fitted<'_> {
        let (message, details) = (self.message(), &self.details()[..]);
        let weighs = (scale.message)(message);
        let least = weighs.min(room / 8).max(if weighs > 0 { LEAST_NOTE } else { 0 });
        let metadata = (scale.metadata)(self.metadata());
        let keeps_metadata = metadata + least <= room;
        let left = if keeps_metadata { room - metadata } else { room };
        let heavy = if details.is_empty() { 0 } else { (scale.details)(details.len()) };
        let keeps_details = heavy + least <= left;
        let left = if keeps_details { left - heavy } else { left };
        let note = note((!keeps_details).then_some(details.len()), (!keeps_metadata).then_some(metadata));
        Fitted {
            message: shortened(message, &note, left, scale.message),
            details: if keeps_details { details } else { &[] },
            metadata: keeps_metadata.then_some(self.metadata()),
        }
    }
}

/// Room for what says that something was left out.
const LEAST_NOTE: usize = 96;

/// What stands for the rest of a message.
const MORE: &str = "…";

/// Says what was left out, where something was.
fn note(details: Option<usize>, metadata: Option<usize>) -> String {
    match (details, metadata) {
        (None, None) => String::new(),
        (Some(details), None) => format!("[left out: {details} bytes of details]"),
        (None, Some(metadata)) => format!("[left out: {metadata} bytes of metadata]"),
        (Some(details), Some(metadata)) => {
            format!("[left out: {details} bytes of details, {metadata} bytes of metadata]")
        }
    }
}

/// The message with the note behind it, as much of it as there is room for.
fn shortened<'a>(message: &'a str, note: &str, room: usize, weigh: fn(&str) -> usize) -> Cow<'a, str> {
    let gap = if note.is_empty() || message.is_empty() { "" } else { " " };
    let behind = weigh(gap) + weigh(note);
    if weigh(message) + behind <= room {
        return if note.is_empty() { message.into() } else { format!("{message}{gap}{note}").into() };
    }
    let mut left = room.saturating_sub(behind + weigh(MORE));
    let end = message.char_indices().find_map(|(at, letter)| {
        let weighs = weigh(&message[at..at + letter.len_utf8()]);
        left = match left.checked_sub(weighs) {
            Some(left) => left,
            None => return Some(at),
        };
        None
    });
    match end.map_or(message, |end| &message[..end]) {
        "" => String::new().into(),
        kept => format!("{kept}{MORE}{gap}{note}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Scale = Scale { message: str::len, details: |length| length, metadata: Metadata::weight };

    fn status(message: usize, details: usize, metadata: usize) -> Status {
        let mut trailing = Metadata::new();
        if metadata > 0 {
            trailing.insert("k", "v".repeat(metadata - 33)).unwrap();
        }
        Status::aborted("ä".repeat(message / 2)).with_details(vec![7; details]).with_metadata(trailing)
    }

    fn weight(fitted: &Fitted<'_>) -> usize {
        fitted.message.len() + fitted.details.len() + fitted.metadata.map_or(0, Metadata::weight)
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        let status = status(1_000, 1_000, 1_000);
        let fitted = status.fitted(3_000, &PLAIN);
        assert_eq!(fitted.message, status.message());
        assert_eq!(fitted.details, &status.details()[..]);
        assert_eq!(fitted.metadata, Some(status.metadata()));
    }

    #[test]
    fn the_message_gives_way_before_what_programs_read() {
        let status = status(9_000, 1_000, 1_000);
        let fitted = status.fitted(3_000, &PLAIN);
        assert!(fitted.message.starts_with("ää") && fitted.message.ends_with('…'));
        assert_eq!((fitted.details.len(), fitted.metadata), (1_000, Some(status.metadata())));
        assert!((2_990..=3_000).contains(&weight(&fitted)), "{}", weight(&fitted));
    }

    #[test]
    fn what_programs_read_is_whole_or_left_out_and_the_message_says_so() {
        for (parts, [details, metadata], said) in [
            ((100, 9_000, 1_000), [false, true], "ä [left out: 9000 bytes of details]"),
            ((100, 1_000, 9_000), [true, false], "ä [left out: 9000 bytes of metadata]"),
            (
                (9_000, 9_000, 9_000),
                [false, false],
                "… [left out: 9000 bytes of details, 9000 bytes of metadata]",
            ),
            ((0, 9_000, 0), [false, true], "[left out: 9000 bytes of details]"),
        ] {
            let status = status(parts.0, parts.1, parts.2);
            let fitted = status.fitted(3_000, &PLAIN);
            assert_eq!(
                [!fitted.details.is_empty(), fitted.metadata.is_some()],
                [details, metadata],
                "{parts:?}"
            );
            assert!(fitted.message.ends_with(said), "{}", fitted.message);
            assert!(weight(&fitted) <= 3_000, "{parts:?}");
        }
    }

    #[test]
    fn nothing_fits_where_there_is_no_room() {
        let status = status(100, 100, 100);
        for room in 0..200 {
            assert!(weight(&status.fitted(room, &PLAIN)) <= room, "{room}");
        }
    }
}
