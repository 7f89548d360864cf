use futures_util::future::BoxFuture;
use polywire_core::Status;

use super::{TokenChange, TokenId, TokenRecord};

/// Where a node keeps what it knows of tokens: which are revoked, and how often the counted ones were used.
///
/// A node alone has a [`TokenFile`](super::TokenFile); a cluster sets one that is the same at all members, by
/// [`Tokens::set_shared`](super::Tokens::set_shared).
pub trait TokenStore: Send + Sync + 'static {
    /// Whether this token is revoked, as far as this node knows. It is asked before a call is admitted, so it must not
    /// block.
    fn is_revoked(&self, id: TokenId) -> bool;

    /// What is known of this token here; it must not block.
    fn record(&self, id: TokenId) -> Option<TokenRecord>;

    /// Changes with each change of what [`is_revoked`](Self::is_revoked) answers.
    fn generation(&self) -> u64;

    /// All records.
    ///
    /// # Errors
    /// If they cannot be read.
    ///
    /// # Cancel safety
    /// Safe: it changes nothing.
    fn list(&self) -> BoxFuture<'_, Result<Vec<TokenRecord>, Status>>;

    /// Makes a change durable. This node knows of it then.
    ///
    /// # Errors
    /// [`UseRefused`](super::UseRefused) as a status for a use too many, and the reason why the change may not be kept.
    ///
    /// # Cancel safety
    /// A change whose future is dropped may be kept all the same.
    fn change(&self, change: TokenChange) -> BoxFuture<'_, Result<(), Status>>;
}
