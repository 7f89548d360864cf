use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    PublicKey,
    der::{
        BIT_STRING, BOOLEAN, GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE,
        UTC_TIME, explicit, implicit,
    },
};

/// What identifies the subject of a certificate ([RFC 5280, section 4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)).
/// Nothing of it is verified here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct X509<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    /// In seconds since 1970.
    not_before: i64,
    not_after: i64,
    /// The Ed25519 key, if it has one.
    key: Option<PublicKey>,
    /// The contents of the extension; empty without it.
    alternative_names: &'a [u8],
}

/// `id-ce-subjectAltName`, 2.5.29.17.
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The forms of a `GeneralName` ([RFC 5280, section 4.2.1.6](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.6)).
const DNS_NAME: u8 = implicit(2);
const URI: u8 = implicit(6);

impl<'a> X509<'a> {
    /// Reads a certificate in DER; `None` if it is malformed.
    pub(super) fn read(certificate: &'a [u8]) -> Option<Self> {
        let mut file = Reader::new(certificate);
        let mut certificate = file.enter(SEQUENCE)?;
        let mut fields = certificate.enter(SEQUENCE)?;
        let version = fields.take(explicit(0));
        fields.take(INTEGER)?;
        fields.take(SEQUENCE)?;
        let issuer = fields.take(SEQUENCE)?.whole;
        let mut validity = fields.enter(SEQUENCE)?;
        let (not_before, not_after) = (time(&mut validity)?, time(&mut validity)?);
        let subject = fields.take(SEQUENCE)?.whole;
        let key = PublicKey::of_spki(fields.take(SEQUENCE)?.whole);
        // The unique identifiers of the issuer and the subject, which are not in use.
        fields.take(implicit(1));
        fields.take(implicit(2));
        let alternative_names = match fields.enter(explicit(3)) {
            None => &[],
            // Extensions are of version 3 alone, which is counted from zero.
            Some(_) if version.map(|version| version.contents) != Some(&[INTEGER, 1, 2]) => return None,
            Some(mut extensions) => alternative_names(extensions.enter(SEQUENCE)?)?,
        };
        certificate.take(SEQUENCE)?;
        certificate.take(BIT_STRING)?;
        let is_whole = fields.is_empty() && certificate.is_empty() && file.is_empty();
        is_whole.then_some(Self { issuer, subject, not_before, not_after, key, alternative_names })
    }

    /// The Ed25519 key that it is for.
    #[cfg(any(feature = "grpc", feature = "quic", feature = "websocket-tls"))]
    pub(super) fn key(&self) -> Option<PublicKey> {
        self.key
    }

    /// Its key, if it vouches for nothing but its key: it is Ed25519's, and its subject is its issuer.
    pub(super) fn own_key(&self) -> Option<PublicKey> {
        self.key.filter(|_| self.issuer == self.subject)
    }

    /// Whether its time has begun and is not over.
    pub(super) fn is_valid_at(&self, now: SystemTime) -> bool {
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        (self.not_before..=self.not_after).contains(&seconds)
    }

    /// When its time is over: its last second is a second of it.
    pub(super) fn end(&self) -> SystemTime {
        let seconds = u64::try_from(self.not_after).unwrap_or_default();
        UNIX_EPOCH + Duration::from_secs(seconds + 1)
    }

    /// Its DNS names, in order.
    pub(super) fn dns_names(&self) -> impl Iterator<Item = &'a str> {
        self.names(DNS_NAME)
    }

    /// Its URIs, in order.
    pub(super) fn uris(&self) -> impl Iterator<Item = &'a str> {
        self.names(URI)
    }

    /// A name that is no text reads as the empty one, which nothing is called.
    fn names(&self, form: u8) -> impl Iterator<Item = &'a str> {
        let mut names = Reader::new(self.alternative_names);
        std::iter::from_fn(move || names.any())
            .filter(move |name| name.tag == form)
            .map(|name| std::str::from_utf8(name.contents).unwrap_or_default())
    }
}

/// The subject's alternative names among these extensions, none without that extension; `None` if they are malformed.
fn alternative_names(mut extensions: Reader<'_>) -> Option<&[u8]> {
    let mut found = None;
    while !extensions.is_empty() {
        let mut extension = extensions.enter(SEQUENCE)?;
        let id = extension.take(OBJECT_IDENTIFIER)?.contents;
        extension.take(BOOLEAN);
        let value = extension.take(OCTET_STRING)?.contents;
        if id == SUBJECT_ALTERNATIVE_NAME {
            let mut names = Reader::new(value);
            let list = names.take(SEQUENCE)?.contents;
            if !names.is_empty() {
                return None;
            }
            // Two of them could be read in two ways.
            if found.replace(list).is_some() {
                return None;
            }
        }
    }
    Some(found.unwrap_or_default())
}

/// A time in seconds since 1970, in the forms of [RFC 5280, section 4.1.2.5]: `YYMMDDHHMMSSZ` from 1950 to 2049, and
/// `YYYYMMDDHHMMSSZ`.
///
/// [RFC 5280, section 4.1.2.5]: https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5
fn time(fields: &mut Reader<'_>) -> Option<i64> {
    let element = fields.any()?;
    let digits = std::str::from_utf8(element.contents).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (element.tag, digits.len()) {
        (UTC_TIME, 12) => {
            let year: i64 = digits[..2].parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        (GENERALIZED_TIME, 14) => (digits[..4].parse().ok()?, &digits[4..]),
        _ => return None,
    };
    let part = |index: usize| rest[2 * index..2 * index + 2].parse::<i64>().ok();
    let (month, day, hour, minute, second) = (part(0)?, part(1)?, part(2)?, part(3)?, part(4)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// The days from 1970-01-01 to this date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have the leap day at their end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    // From March on, months have 31, 30, 31, 30, 31 days again and again: 153 in five.
    let days_of_year = (153 * month + 2) / 5 + day - 1;
    // As many days are from 0000-03-01 to 1970-01-01.
    year * 365 + leap_days + days_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SanType, date_time_ymd};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_certificate_says_its_key_its_names_and_its_time() {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::new(["b.example".to_owned(), "a.example".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI("spiffe://example.org/a".try_into().unwrap()));
        params.not_before = date_time_ymd(2024, 2, 29);
        params.not_after = date_time_ymd(2050, 3, 1);
        let certificate = params.self_signed(&key).unwrap();
        let read = X509::read(certificate.der()).unwrap();
        assert_eq!(read.own_key().unwrap().as_bytes(), key.public_key_raw());
        assert_eq!(read.dns_names().collect::<Vec<_>>(), ["b.example", "a.example"]);
        assert_eq!(read.uris().collect::<Vec<_>>(), ["spiffe://example.org/a"]);
        assert_eq!((read.not_before, read.not_after), (1_709_164_800, 2_529_705_600));
        for (second, valid) in
            [(1_709_164_799, false), (1_709_164_800, true), (2_529_705_600, true), (2_529_705_601, false)]
        {
            assert_eq!(read.is_valid_at(at(second)), valid, "{second}");
        }
    }

    #[test]
    fn dates_are_counted_as_the_calendar_has_them() {
        for (date, expected) in [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((2100, 3, 1), 47_541),
            ((9999, 12, 31), 2_932_896),
        ] {
            assert_eq!(days(date.0, date.1, date.2), expected, "{date:?}");
        }
    }

    #[test]
    fn a_certificate_cut_short_or_with_more_behind_it_is_malformed() {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(["a.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        let read = X509::read(certificate.der()).unwrap();
        assert_eq!(read.own_key(), None, "its key is not Ed25519's");
        for length in 0..certificate.der().len() {
            assert_eq!(X509::read(&certificate.der()[..length]), None, "{length}");
        }
        assert_eq!(X509::read(&[certificate.der(), &[0, 0][..]].concat()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_can_make_it_panic(position: usize, byte: u8, any: Vec<u8>) {
            let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
            let certificate = CertificateParams::new(["a.example".to_owned()]).unwrap().self_signed(&key).unwrap();
            let mut bytes = certificate.der().to_vec();
            let position = position % bytes.len();
            bytes[position] = byte;
            for bytes in [bytes, any] {
                if let Some(read) = X509::read(&bytes) {
                    let _ = (read.dns_names().count(), read.uris().count());
                }
            }
        }
    }
}
