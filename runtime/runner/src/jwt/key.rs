use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};

/// A public key of an issuer, and how a token that it has signed is verified.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// The algorithms that the key is for: that of its `alg`, else those of its type.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) decoding: DecodingKey,
}

/// The algorithms of an RSA key.
const RSA: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// The sizes of RSA keys that are accepted, in bits: `ring`'s.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

impl Key {
    /// The key, if it is for signatures of a kind that is known here; else why it is left out.
    ///
    /// # Errors
    /// What is not supported, for the error of a set without any usable key.
    pub(super) fn of(jwk: &Jwk) -> Result<Self, String> {
        let common = &jwk.common;
        if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return Err("is for another use than signatures".to_owned());
        }
        let verifies = |operations: &Vec<KeyOperations>| operations.contains(&KeyOperations::Verify);
        if !common.key_operations.as_ref().is_none_or(verifies) {
            return Err("has key_ops without \"verify\"".to_owned());
        }
        let (decoding, possible) = public_key(&jwk.algorithm)?;
        let algorithms = match common.key_algorithm {
            None => possible.to_vec(),
            Some(named) => {
                let named = Algorithm::try_from(named).ok().filter(|named| possible.contains(named));
                vec![named.ok_or("has an alg that is not supported with its key type")?]
            }
        };
        Ok(Self { id: common.key_id.clone(), algorithms, decoding })
    }

    /// Whether a token with this `kid` and this algorithm may be of the key. A token without a `kid` is of the `only` key.
    pub(super) fn is_for(&self, id: Option<&str>, algorithm: Algorithm, only: bool) -> bool {
        let is_named = match id {
            Some(id) => self.id.as_deref() == Some(id),
            None => only,
        };
        is_named && self.algorithms.contains(&algorithm)
    }

    /// Whether a token could be of both keys.
    pub(super) fn is_confused_with(&self, other: &Self) -> bool {
        self.id == other.id && self.algorithms.iter().any(|algorithm| other.algorithms.contains(algorithm))
    }

    /// What the library checks of a token of this key.
    pub(super) fn validation(&self) -> Validation {
        // The algorithm with which it is made is replaced at once.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.algorithms.clone_from(&self.algorithms);
        validation
    }
}

fn public_key(parameters: &AlgorithmParameters) -> Result<(DecodingKey, &'static [Algorithm]), String> {
    match parameters {
        AlgorithmParameters::RSA(rsa) => {
            let (modulus, exponent) = (number(&rsa.n, "n")?, number(&rsa.e, "e")?);
            let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
            if !RSA_BITS.contains(&bits) {
                let (least, most) = (RSA_BITS.start(), RSA_BITS.end());
                return Err(format!("has an RSA modulus of {bits} bits; expected {least} to {most}"));
            }
            Ok((DecodingKey::from_rsa_raw_components(&modulus, &exponent), &RSA))
        }
        AlgorithmParameters::EllipticCurve(curve) => {
            let (size, algorithms): (_, &[_]) = match curve.curve {
                EllipticCurve::P256 => (32, &[Algorithm::ES256]),
                EllipticCurve::P384 => (48, &[Algorithm::ES384]),
                _ => return Err("has a curve that is not supported".to_owned()),
            };
            let mut point = vec![4]; // Uncompressed (SEC 1, section 2.3.3).
            point.extend(of_size(&curve.x, "x", size)?);
            point.extend(of_size(&curve.y, "y", size)?);
            Ok((DecodingKey::from_ec_der(&point), algorithms))
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Ok((DecodingKey::from_ed_der(&of_size(&pair.x, "x", 32)?), &[Algorithm::EdDSA]))
        }
        _ => Err("is of a key type that is not supported".to_owned()),
    }
}

fn bytes(text: &str, name: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("has no base64url in {name:?}"))
}

fn of_size(text: &str, name: &str, size: usize) -> Result<Vec<u8>, String> {
    let bytes = bytes(text, name)?;
    let found = bytes.len();
    let sized = (found == size).then_some(bytes);
    sized.ok_or_else(|| format!("has {found} bytes in {name:?}; expected {size}"))
}

/// The bytes of a number without the zeros before it, which some issuers write.
fn number(text: &str, name: &str) -> Result<Vec<u8>, String> {
    let bytes = bytes(text, name)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Ok(bytes[zeros..].to_vec())
}
