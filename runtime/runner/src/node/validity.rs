use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::{
    prelude::{FromDer as _, X509Certificate},
    time::ASN1Time,
};

/// From when until when a chain of certificates is valid: as long as each of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    not_before: ASN1Time,
    not_after: ASN1Time,
}

/// How a validity is at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is valid, and for long enough.
    Valid,
    /// It is valid, and should have been renewed.
    EndsSoon,
    /// It is over.
    Expired,
    /// It has not begun.
    NotYet,
}

/// How long before its end a certificate should have been renewed; two weeks are time enough to mend by hand what renews
/// it. Of one that lives for less than six weeks it is the last third of its life, by which automatic renewals are done.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

impl Validity {
    /// While each certificate of the chain is valid; `None` where there is none, or one cannot be read.
    pub(super) fn of_chain(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let mut validities = chain.iter().map(|certificate| Self::of(certificate));
        let first = validities.next()??;
        validities.try_fold(first, |validity, next| Some(validity.and(next?)))
    }

    fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let validity = certificate.validity();
        Some(Self { not_before: validity.not_before, not_after: validity.not_after })
    }

    /// While both are valid.
    fn and(self, other: Self) -> Self {
        Self {
            not_before: self.not_before.max(other.not_before),
            not_after: self.not_after.min(other.not_after),
        }
    }

    /// How many seconds are left of it; fewer than none when it is over.
    pub(super) fn seconds_left(&self, now: SystemTime) -> i64 {
        self.not_after.timestamp() - seconds(now)
    }

    pub(super) fn standing(&self, now: SystemTime) -> Standing {
        let left = self.seconds_left(now);
        let life = self.not_after.timestamp() - self.not_before.timestamp();
        let soon = i64::try_from(SOON.as_secs()).unwrap_or(i64::MAX).min(life / 3);
        if left < 0 {
            Standing::Expired
        } else if seconds(now) < self.not_before.timestamp() {
            Standing::NotYet
        } else if left < soon {
            Standing::EndsSoon
        } else {
            Standing::Valid
        }
    }

    /// When it ends, for people.
    pub(super) fn end(&self) -> String {
        shown(self.not_after)
    }

    /// What is wrong with it now.
    pub(super) fn problem(&self, now: SystemTime) -> Option<String> {
        match self.standing(now) {
            Standing::Valid => None,
            Standing::EndsSoon => Some(format!("expires at {}; expected a renewed one by now", self.end())),
            Standing::Expired => Some(format!("expired at {}: clients refuse it", self.end())),
            Standing::NotYet => {
                Some(format!("is not valid before {}: clients refuse it", shown(self.not_before)))
            }
        }
    }
}

/// Seconds since the Unix epoch.
fn seconds(now: SystemTime) -> i64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

fn shown(time: ASN1Time) -> String {
    let time = time.to_datetime();
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    format!("{} {hour:02}:{minute:02}:{second:02} UTC", time.date())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    /// How a certificate of so many days is, so many days after it has become valid.
    fn standing(life: i64, age: i64) -> Standing {
        let at = |seconds| ASN1Time::from_timestamp(seconds).unwrap();
        let validity = Validity { not_before: at(100 * DAY), not_after: at((100 + life) * DAY) };
        let now = u64::try_from((100 + age) * DAY).unwrap();
        validity.standing(UNIX_EPOCH + Duration::from_secs(now))
    }

    #[test]
    fn a_certificate_ends_soon_in_its_last_two_weeks_or_the_last_third_of_a_short_life() {
        assert_eq!(standing(365, -1), Standing::NotYet);
        assert_eq!(standing(365, 350), Standing::Valid);
        assert_eq!(standing(365, 352), Standing::EndsSoon);
        assert_eq!(standing(365, 366), Standing::Expired);
        assert_eq!(standing(6, 3), Standing::Valid);
        assert_eq!(standing(6, 5), Standing::EndsSoon);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_day() {
        let at = |seconds| ASN1Time::from_timestamp(seconds).unwrap();
        let validity = Validity { not_before: at(0), not_after: at(DAY) };
        let problem = validity.problem(UNIX_EPOCH + Duration::from_secs(1_000_000));
        assert_eq!(problem.as_deref(), Some("expired at 1970-01-02 00:00:00 UTC: clients refuse it"));
    }

    #[test]
    fn a_chain_is_valid_while_each_certificate_is() {
        let at = |seconds| ASN1Time::from_timestamp(seconds).unwrap();
        let one = Validity { not_before: at(1), not_after: at(9) };
        let other = Validity { not_before: at(3), not_after: at(12) };
        assert_eq!(one.and(other), Validity { not_before: at(3), not_after: at(9) });
    }
}
