use std::slice;

use prometheus::TextEncoder;
use prometheus::proto::{MetricFamily, MetricType};

/// Prometheus text 0.0.4.
///
/// Families are encoded one by one, so that an invalid one, such as a collector's family without a name, affects only
/// itself.
pub(super) fn encode(families: &[MetricFamily]) -> String {
    let encoder = TextEncoder::new();
    let mut out = String::new();
    // The encoder panics on untyped families.
    for family in families.iter().filter(|family| family.get_field_type() != MetricType::UNTYPED) {
        let before = out.len();
        if let Err(error) = encoder.encode_utf8(slice::from_ref(family), &mut out) {
            out.truncate(before);
            tracing::warn!(family = family.name(), %error, "a metric family cannot be encoded and is omitted");
        }
    }
    out
}
