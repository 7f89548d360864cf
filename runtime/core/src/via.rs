//! Which gateways a call has come by, in its metadata: one entry each, `polywire NAME`, or several in one with commas
//! between them, as HTTP's field of this name has it (RFC 9110, section 7.6.3).

use crate::{Metadata, Status};

const KEY: &str = "via";
const PROTOCOL: &str = "polywire ";

/// How many gateways may pass a call on. More than a network of them has in a row, and few enough that a loop of them
/// ends at once.
const MOST: usize = 8;

/// Notes that this gateway passes the call on.
///
/// # Errors
/// `FailedPrecondition`, not processed, where as many have done so as may.
pub(crate) fn pass(metadata: &mut Metadata, name: &str) -> Result<(), Status> {
    let passed: Vec<_> = gateways(metadata).collect();
    if passed.len() >= MOST {
        let refusal = format!(
            "the call came by {MOST} gateways, {} and then {name}; expected fewer, so do they call one another?",
            passed.join(", ")
        );
        return Err(Status::failed_precondition(refusal).not_processed());
    }
    let noted = metadata.append(KEY, format!("{PROTOCOL}{name}"));
    noted.map_err(|error| Status::internal(error.to_string()).not_processed())
}

/// Whether a gateway has passed the call on.
pub(crate) fn is_passed_on(metadata: &Metadata) -> bool {
    gateways(metadata).next().is_some()
}

/// The gateways among those that the call came by: proxies of HTTP add themselves here too.
fn gateways(metadata: &Metadata) -> impl Iterator<Item = &str> {
    let entries = metadata.get_all(KEY).flat_map(|entry| entry.split(','));
    entries.filter_map(|entry| entry.trim().strip_prefix(PROTOCOL).map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn of(entries: &[&str]) -> Metadata {
        let mut metadata = Metadata::new();
        for entry in entries {
            metadata.append(KEY, *entry).unwrap();
        }
        metadata
    }

    #[test]
    fn each_gateway_adds_itself_and_the_ninth_refuses() {
        let mut metadata = of(&["1.1 a-proxy"]);
        for number in 0..8 {
            pass(&mut metadata, &format!("g{number}")).unwrap();
        }
        let status = pass(&mut metadata, "last").unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.is_not_processed());
        assert!(status.message().contains("g0, g1, g2, g3, g4, g5, g6, g7 and then last"), "{status}");
    }

    #[test]
    fn a_list_in_one_entry_counts_as_so_many() {
        let mut metadata = of(&["polywire a, 1.1 b,polywire c", "polywire d,polywire e, polywire f"]);
        assert_eq!(gateways(&metadata).collect::<Vec<_>>(), ["a", "c", "d", "e", "f"]);
        let passed = (0..4).filter(|_| pass(&mut metadata, "g").is_ok()).count();
        assert_eq!(passed, 3);
    }
}
