use std::time::SystemTime;

use rustls::pki_types::CertificateDer;

use super::x509::X509;
use crate::{Caller, Identity};

/// The caller with the identity that a *verified* certificate chain proves, its own certificate first: the key of a
/// certificate that vouches for nothing else, else the SPIFFE id, else the first DNS name. It proves none if it has none of
/// them, or is not valid at this time, and none beyond the certificate's time.
pub(crate) fn with_identity_of(caller: Caller, chain: &[CertificateDer<'_>], now: SystemTime) -> Caller {
    let shown = chain.first().and_then(|shown| X509::read(shown));
    let Some(certificate) = shown.filter(|certificate| certificate.is_valid_at(now)) else { return caller };
    match identity_of(&certificate) {
        Some(identity) => caller.with_identity_until(identity, certificate.end()),
        None => caller,
    }
}

fn identity_of(certificate: &X509<'_>) -> Option<Identity> {
    if let Some(key) = certificate.own_key() {
        return Some(Identity::Key(*key.as_bytes()));
    }
    if certificate.uris().any(|uri| uri.starts_with(SPIFFE)) {
        let mut uris = certificate.uris();
        let id = uris.next()?;
        // A certificate with several URIs is of no workload, and must be refused
        // (https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md#2-spiffe-id).
        return (uris.next().is_none() && is_spiffe_id(id)).then(|| Identity::Spiffe(id.to_owned()));
    }
    let name = certificate.dns_names().next().filter(|name| is_host_name(name))?;
    Some(Identity::Dns(name.to_ascii_lowercase()))
}

const SPIFFE: &str = "spiffe://";

/// Whether a text is a SPIFFE id of a workload: a trust domain, and a path without empty or relative segments
/// (<https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md#2-spiffe-identity>).
fn is_spiffe_id(text: &str) -> bool {
    let Some((domain, path)) = text.strip_prefix(SPIFFE).and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let is_domain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let is_segment = |segment: &str| {
        let is_relative = matches!(segment, "" | "." | "..");
        !is_relative && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    };
    text.len() <= MAX_SPIFFE_ID
        && !domain.is_empty()
        && domain.bytes().all(is_domain)
        && path.split('/').all(is_segment)
}

/// In bytes (SPIFFE-ID, section 2.3).
const MAX_SPIFFE_ID: usize = 2048;

/// Whether a text is the name of one host, and no pattern.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, PKCS_ED25519, SanType, date_time_ymd};

    use super::*;

    /// What a certificate of an authority proves that has these alternative names.
    fn proved(names: &[SanType]) -> Option<String> {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(rcgen::DnType::CommonName, "authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        // Its key says nothing here: the authority vouches for its names.
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let chain = [certificate.der().clone(), authority.der().clone()];
        proved_at(&chain, SystemTime::now()).map(|identity| identity.to_string())
    }

    fn proved_at(chain: &[CertificateDer<'_>], now: SystemTime) -> Option<Identity> {
        with_identity_of(Caller::new("grpc"), chain, now).identity
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    #[test]
    fn a_spiffe_id_goes_before_dns_names_and_the_first_of_these_counts() {
        for (names, expected) in [
            (
                &[dns("b.example"), uri("spiffe://example.org/ns/a"), dns("a.example")][..],
                Some("spiffe://example.org/ns/a"),
            ),
            (&[dns("B.example"), dns("a.example")], Some("dns:b.example")),
            (&[dns("a.example"), uri("https://example.org")], Some("dns:a.example")),
            (&[], None),
        ] {
            assert_eq!(proved(names).as_deref(), expected, "{names:?}");
        }
    }

    #[test]
    fn what_is_no_name_of_one_workload_or_host_proves_nothing() {
        for names in [
            &[uri("spiffe://example.org/a"), uri("spiffe://example.org/b"), dns("a.example")][..],
            &[uri("https://example.org"), uri("spiffe://example.org/b")],
            &[uri("spiffe://example.org"), dns("a.example")],
            &[uri("spiffe:///a")],
            &[uri("spiffe://example.org/a/../b")],
            &[uri("spiffe://example.org//b")],
            &[uri("spiffe://Example.org/b")],
            &[uri("spiffe://example.org/a b")],
            &[dns("*.example"), dns("a.example")],
            &[dns("a..example")],
        ] {
            assert_eq!(proved(names), None, "{names:?}");
        }
    }

    #[test]
    fn a_certificate_of_a_key_proves_the_key_while_it_is_valid() {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2020, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        let chain = [certificate.der().clone()];
        let then = SystemTime::from(date_time_ymd(2019, 12, 31));
        let caller = with_identity_of(Caller::new("grpc"), &chain, then);
        assert_eq!(caller.identity.as_ref().unwrap().key().unwrap(), key.public_key_raw());
        assert_eq!(
            caller.identity_expires,
            Some(SystemTime::from(date_time_ymd(2020, 1, 1)) + Duration::from_secs(1))
        );
        assert!(caller.has_expired());
        assert_eq!(proved_at(&chain, SystemTime::now()), None);
    }
}
