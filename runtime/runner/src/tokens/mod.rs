//! Tokens: invitations that carry where to call and what they allow.
//!
//! A node signs a token with its key. The token names targets, methods, an expiry, and optionally a number of uses and the
//! one key that may use it. Its holder narrows it offline, for fewer methods or a shorter time, and passes that on. A node
//! accepts tokens that it or another current member of its cluster has signed, until they expire or are revoked.
//!
//! # The format
//! A token is a chain of signed delegations of the crate `rcan` and the secret key of the last one. The node delegates to a
//! fresh key; to narrow a token is to sign a further delegation, from that key to another fresh one, and to hand out the new
//! secret only. So a holder can append, and can neither remove nor alter what is before. A link allows at most what the link
//! before it allows, and the node that is called verifies that. The text is `pwt_` and base64url, at
//! most [`MAX_TEXT`] characters; it is a secret, as a password is.
//!
//! # Why rcan
//! * A plain signed token (one signature over claims, as in JWT) cannot be narrowed by its holder, who has no key for it.
//! * `biscuit-auth` can, and its Datalog says far more than targets, methods and times. It adds 46 crates to a node, among
//!   them a second Ed25519, two generations of ECDSA's crates, and releases of prost and syn that are years old; its evaluator
//!   and its parser would run on what strangers send.
//! * `rcan` is 400 lines over `ed25519-dalek`, which Iroh already brings, and `postcard`: 5 more crates. It is made and used
//!   by the authors of Iroh, and checks the chain: which key signed for which, until when, and that no link widens. Its repository
//!   names no audit, and that of biscuit's specification says that one is looked for; its whole source can be read in an hour.
//!   What it lacks is here: a bearer form, bounds on the input, revocation, and counted uses.

mod accepted;
mod bearer;
mod cache;
mod capability;
mod file;
mod id;
mod invalid;
mod invitation;
mod record;
mod seconds;
mod store;
mod text;
mod token;
#[allow(clippy::module_inception, reason = "the noun of the room")]
mod tokens;

#[cfg(feature = "jwt")]
pub(crate) use self::{
    bearer::other_bearers,
    cache::{Cache, Remembered},
};
pub use self::{
    bearer::{authorization, bearer},
    file::TokenFile,
    id::{InvalidTokenId, TokenId},
    invalid::InvalidToken,
    invitation::{Invitation, Narrowing},
    record::{TokenChange, TokenRecord, UseRefused},
    seconds::unix_seconds,
    store::TokenStore,
    text::MAX_TEXT,
    token::Token,
    tokens::Tokens,
};
