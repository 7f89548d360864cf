//! A holder, or a stranger, with tools of its own: it signs links of any content, in any order, for any key that it has. The one
//! secret key that it does not have is the node's.

use arbitrary::{Result, Unstructured};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use iroh_base::SecretKey;
use rcan::{Expires, Rcan};
use serde::{Deserialize, Serialize};

use super::{
    now,
    power::{KEY, OTHER_KEY, Power},
};

/// What a link says, in the order in which it is signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Link {
    name: String,
    targets: Vec<String>,
    methods: Vec<String>,
    uses: Option<u32>,
    to: Option<[u8; 32]>,
}

impl rcan::Capability for Link {
    fn permits(&self, _: &Self) -> bool {
        true
    }
}

/// A forged token.
#[derive(Debug)]
pub(super) struct Forged {
    pub(super) text: String,
    /// What the node has granted by the first link; `None` if the node has signed none.
    pub(super) invited: Option<Power>,
    /// The name and the uses of that link.
    pub(super) name: String,
    pub(super) uses: Option<u32>,
}

const METHODS: [&str; 9] = [
    "a.v1.A/*",
    "a.v1.A/Get",
    "a.v1.A/List",
    "a.v1.AB/Get",
    "a.v1.B/*",
    "operator",
    "application",
    "public",
    "a.v1/A.Get",
];

/// Some methods, mostly of the usual ones.
pub(super) fn methods(input: &mut Unstructured<'_>) -> Result<Vec<String>> {
    let number = input.int_in_range(1..=3)?;
    let method = |input: &mut Unstructured<'_>| -> Result<String> {
        match input.ratio(1, 16)? {
            true => input.arbitrary(),
            false => Ok((*input.choose(&METHODS)?).to_owned()),
        }
    };
    (0..number).map(|_| method(input)).collect()
}

/// The key that something is for, if it is for one.
pub(super) fn to(input: &mut Unstructured<'_>) -> Result<Option<[u8; 32]>> {
    Ok(*input.choose(&[None, None, Some(KEY), Some(OTHER_KEY)])?)
}

fn link(input: &mut Unstructured<'_>) -> Result<Link> {
    Ok(Link {
        name: (*input.choose(&["", "", "ci", "root"])?).to_owned(),
        targets: if input.ratio(1, 8)? { vec!["grpc://127.0.0.1:1".to_owned()] } else { Vec::new() },
        methods: methods(input)?,
        uses: if input.ratio(1, 4)? { Some(input.int_in_range(0..=3)?) } else { None },
        to: to(input)?,
    })
}

fn expires(input: &mut Unstructured<'_>) -> Result<Expires> {
    Ok(match input.int_in_range(0..=7_u8)? {
        0 => Expires::Never,
        1 => Expires::At(input.arbitrary()?),
        later => Expires::At(now() + 1_000 + u64::from(later)),
    })
}

/// The secret keys of the forger: those of tokens that it holds, and its own.
fn secret(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[100 + number; 32])
}

pub(super) fn forge(input: &mut Unstructured<'_>, node: &SecretKey) -> Result<Forged> {
    let stranger = secret(99);
    let is_invited = !input.ratio(1, 8)?;
    let issuer = if is_invited { node } else { &stranger };
    let (first, end) = (link(input)?, expires(input)?);
    let audience = |number: u8| secret(number).public().as_verifying_key();
    let mut chain =
        vec![Rcan::issuing_builder(issuer.as_signing_key(), audience(1), first.clone()).sign(end.clone())];
    let more = input.int_in_range(0..=8_u8)?;
    for number in 1..=more {
        let own = input.ratio(1, 16)?;
        let signer = if own { stranger.clone() } else { secret(number) };
        let root = if input.ratio(1, 16)? { &stranger } else { issuer };
        let said = if input.ratio(1, 2)? { first.clone() } else { link(input)? };
        let (to, root) = (audience(number + 1), root.public().as_verifying_key());
        let link = match input.ratio(1, 16)? {
            true => Rcan::issuing_builder(signer.as_signing_key(), to, said),
            false => Rcan::delegating_builder(signer.as_signing_key(), to, root, said),
        };
        chain.push(link.sign(expires(input)?));
    }
    // What is left out or exchanged, and the secret that is handed out with it.
    if input.ratio(1, 8)? {
        let (one, other) = (input.choose_index(chain.len())?, input.choose_index(chain.len())?);
        chain.swap(one, other);
    }
    if input.ratio(1, 8)? {
        chain.truncate(1 + input.choose_index(chain.len())?);
    }
    let holder = if input.ratio(1, 8)? { input.arbitrary::<u8>()? % 12 } else { more + 1 };
    let text = written(&chain, &secret(holder), input)?;
    let name = match &*first.name {
        // The id, by which a token without a name is called.
        "" => audience(1).as_bytes()[..8].iter().map(|byte| format!("{byte:02x}")).collect(),
        name => name.to_owned(),
    };
    let power = || {
        let methods = first.methods.iter().filter_map(|method| method.parse().ok()).collect();
        let expires = match end {
            Expires::Never => u64::MAX,
            Expires::At(seconds) => seconds,
        };
        Power { methods, to: first.to, expires }
    };
    Ok(Forged { text, invited: is_invited.then(power), name, uses: first.uses })
}

/// The text of the chain, in which a byte may be another one.
fn written(chain: &[Rcan<Link>], secret: &SecretKey, input: &mut Unstructured<'_>) -> Result<String> {
    let mut bytes = vec![1, chain.len() as u8];
    for link in chain {
        let link = link.encode();
        bytes.extend_from_slice(&(link.len() as u16).to_be_bytes());
        bytes.extend_from_slice(&link);
    }
    bytes.extend_from_slice(&secret.to_bytes());
    if input.ratio(1, 4)? {
        let place = input.choose_index(bytes.len())?;
        bytes[place] ^= input.arbitrary::<u8>()?;
    }
    Ok(format!("pwt_{}", URL_SAFE_NO_PAD.encode(bytes)))
}
