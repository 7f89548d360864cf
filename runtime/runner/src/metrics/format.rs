use std::cmp::Ordering;

/// A text format that scrapers read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// [Prometheus text 0.0.4](https://prometheus.io/docs/instrumenting/exposition_formats/).
    #[default]
    Text,
    /// [OpenMetrics 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/).
    OpenMetrics,
}

impl Format {
    /// The value of the `content-type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Chooses by an `accept` header ([RFC 9110,
    /// 12.5.1](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1)).
    ///
    /// The higher quality wins; among equals the more specific range, then the earlier one. Without a header, for
    /// wildcards, and if the header accepts neither, the result is [`Format::Text`]: an unexpected format serves a scraper
    /// better than a refusal.
    pub fn negotiate(accept: Option<&str>) -> Self {
        let ranges: Vec<Range<'_>> =
            accept.into_iter().flat_map(|accept| accept.split(',')).map(Range::parse).collect();
        match (Self::OpenMetrics.preference(&ranges), Self::Text.preference(&ranges)) {
            (Some(open), Some(text)) if open.compare(&text).is_gt() => Self::OpenMetrics,
            (Some(_), None) => Self::OpenMetrics,
            _ => Self::Text,
        }
    }

    /// The preference for this format by the most specific range of the header; `None` if the header does not accept it.
    fn preference(self, ranges: &[Range<'_>]) -> Option<Preference> {
        let preferences = ranges.iter().enumerate().filter_map(|(position, range)| {
            let exactness = range.exactness(self)?;
            Some(Preference { exactness, quality: range.quality, position })
        });
        let most_exact = preferences.reduce(|best, next| match next.exactness.cmp(&best.exactness) {
            Ordering::Greater => next,
            Ordering::Equal if next.quality > best.quality => next,
            _ => best,
        })?;
        (most_exact.quality > 0.0).then_some(most_exact)
    }

    fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("text", "plain"),
            Self::OpenMetrics => ("application", "openmetrics-text"),
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Text => "0.0.4",
            Self::OpenMetrics => "1.0.0",
        }
    }
}

struct Preference {
    exactness: u8,
    quality: f32,
    position: usize,
}

impl Preference {
    fn compare(&self, other: &Self) -> Ordering {
        let quality = self.quality.total_cmp(&other.quality);
        quality.then(self.exactness.cmp(&other.exactness)).then(other.position.cmp(&self.position))
    }
}

/// One media range of an `accept` header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    version: Option<&'a str>,
    quality: f32,
}

impl<'a> Range<'a> {
    /// Malformed parts match nothing or have their default.
    fn parse(range: &'a str) -> Self {
        let mut parts = range.split(';').map(str::trim);
        let (kind, subtype) = parts.next().and_then(|name| name.split_once('/')).unwrap_or_default();
        let mut range = Self { kind, subtype, version: None, quality: 1.0 };
        for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim() {
                "q" | "Q" => range.quality = value.parse().unwrap_or(1.0_f32).clamp(0.0, 1.0),
                "version" => range.version = Some(value),
                _ => {}
            }
        }
        range
    }

    /// How specifically the range matches the format; `None` if it does not match.
    fn exactness(&self, format: Format) -> Option<u8> {
        let (kind, subtype) = format.media_type();
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (range, "*") if range.eq_ignore_ascii_case(kind) => Some(1),
            (range, name) if range.eq_ignore_ascii_case(kind) && name.eq_ignore_ascii_case(subtype) => {
                match self.version {
                    None => Some(2),
                    Some(version) if version == format.version() => Some(3),
                    Some(_) => None,
                }
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_preference_it_is_text() {
        for accept in
            [None, Some(""), Some("*/*"), Some("text/*"), Some("application/json"), Some("nonsense;;q")]
        {
            assert_eq!(Format::negotiate(accept), Format::Text, "{accept:?}");
        }
    }

    #[test]
    fn prometheus_gets_openmetrics() {
        let accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,\
            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(Format::negotiate(Some(accept)), Format::OpenMetrics);
    }

    #[test]
    fn quality_decides_before_order_and_exactness() {
        let choices = [
            ("application/openmetrics-text;q=0.3, text/plain;q=0.5", Format::Text),
            ("text/plain;q=0.3, application/openmetrics-text;q=0.5", Format::OpenMetrics),
            ("application/openmetrics-text;version=1.0.0;q=0.1, */*", Format::Text),
            ("application/openmetrics-text, */*;q=0.1", Format::OpenMetrics),
        ];
        for (accept, chosen) in choices {
            assert_eq!(Format::negotiate(Some(accept)), chosen, "{accept}");
        }
    }

    #[test]
    fn between_equals_the_exact_then_the_first_wins() {
        let choices = [
            ("*/*, application/openmetrics-text", Format::OpenMetrics),
            ("text/plain, application/openmetrics-text", Format::Text),
            ("Application/OpenMetrics-Text, text/plain", Format::OpenMetrics),
        ];
        for (accept, chosen) in choices {
            assert_eq!(Format::negotiate(Some(accept)), chosen, "{accept}");
        }
    }

    #[test]
    fn what_is_excluded_is_not_sent() {
        assert_eq!(Format::negotiate(Some("application/openmetrics-text;q=0, */*;q=0.1")), Format::Text);
        assert_eq!(Format::negotiate(Some("text/plain;q=0, */*")), Format::OpenMetrics);
    }

    #[test]
    fn another_version_is_another_format() {
        assert_eq!(Format::negotiate(Some("application/openmetrics-text; version=\"2.0.0\"")), Format::Text);
        assert_eq!(
            Format::negotiate(Some("application/openmetrics-text; version=\"1.0.0\"")),
            Format::OpenMetrics
        );
    }
}
