//! The access to a node: its tokens, which it issues, lists and revokes, and its rules.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use polywire::{
    Context, Identity, Parts, Status, Target,
    tokens::{Invitation, TokenId, TokenRecord},
};
use polywire_proto::access::v1;

use crate::node_context::NodeContext;

/// The access to a node.
#[polywire::service(package = "polywire.access.v1", access = "operator")]
pub trait Access {
    /// Makes a token and records it. A caller with a token gets a narrower one of its own.
    async fn issue(&self, cx: &Context, request: v1::IssueRequest) -> Result<v1::IssueResponse, Status>;

    /// Lists the recorded tokens, and the rules of this node.
    #[rpc(idempotent)]
    async fn list(&self, request: v1::ListRequest) -> Result<v1::ListResponse, Status>;

    /// Revokes a token and all tokens that it was narrowed to, at every member of the cluster.
    #[rpc(idempotent)]
    async fn revoke(&self, request: v1::RevokeRequest) -> Result<v1::RevokeResponse, Status>;
}

/// The access to one node.
#[derive(Clone, Debug)]
pub struct NodeAccess {
    parts: Parts,
    context: Arc<NodeContext>,
}

/// The transports that prove to a caller which node it calls: a token is safest there, so it names these first.
const PROVED: [&str; 2] = ["iroh", "quic"];

impl NodeAccess {
    /// The access to the node of these parts.
    pub fn new(parts: &Parts) -> Self {
        Self { parts: parts.clone(), context: NodeContext::of(parts) }
    }

    /// Where others call this node.
    fn targets(&self) -> Result<Vec<String>, Status> {
        let targets = self.context.local_node()?.announced().targets;
        let mut targets: Vec<Target> = targets.iter().filter_map(|target| target.parse().ok()).collect();
        if !targets.iter().all(Target::is_local) {
            targets.retain(|target| !target.is_local());
        }
        targets.sort_by_key(|target| !PROVED.contains(&target.transport()));
        Ok(targets.iter().map(ToString::to_string).collect())
    }
}

impl Access for NodeAccess {
    async fn issue(&self, cx: &Context, request: v1::IssueRequest) -> Result<v1::IssueResponse, Status> {
        let expires = SystemTime::now().checked_add(Duration::from_secs(request.valid_for_seconds));
        let invalid = || Status::invalid_argument("invalid validity; expected at most 366 days");
        let targets = if request.targets.is_empty() { self.targets()? } else { request.targets };
        let invitation = Invitation {
            name: request.name,
            targets,
            methods: request.methods,
            expires: expires.ok_or_else(invalid)?,
            uses: request.uses,
            to: key(&request.to)?,
        };
        let token = self.parts.tokens()?.issue_to(cx, invitation).await?;
        let id = token.ids().last().unwrap_or_else(|| token.id());
        Ok(v1::IssueResponse { token: token.to_string(), id: id.to_string() })
    }

    async fn list(&self, _: v1::ListRequest) -> Result<v1::ListResponse, Status> {
        let tokens = self.parts.tokens()?.list().await?;
        let rules = self.parts.access.rules();
        Ok(v1::ListResponse {
            tokens: tokens.into_iter().map(issued).collect(),
            rules: rules
                .rules()
                .map(|(who, what)| v1::AccessRule {
                    who: who.iter().map(ToString::to_string).collect(),
                    what: what.iter().map(ToString::to_string).collect(),
                })
                .collect(),
            trust_local: rules.trusts_local(),
            insecure: rules.is_insecure(),
        })
    }

    async fn revoke(&self, request: v1::RevokeRequest) -> Result<v1::RevokeResponse, Status> {
        let id: TokenId = request
            .id
            .parse()
            .map_err(|error: polywire::tokens::InvalidTokenId| Status::invalid_argument(error.to_string()))?;
        self.parts.tokens()?.revoke(id).await?;
        tracing::info!(%id, "a token was revoked");
        Ok(v1::RevokeResponse {})
    }
}

/// The node key of this id; none for an empty text.
fn key(id: &str) -> Result<Option<[u8; 32]>, Status> {
    if id.is_empty() {
        return Ok(None);
    }
    let key = format!("key:{id}").parse::<Identity>().ok().and_then(|identity| identity.key().copied());
    let invalid = || Status::invalid_argument("invalid node id; expected 64 hexadecimal digits");
    key.map(Some).ok_or_else(invalid)
}

fn issued(record: TokenRecord) -> v1::IssuedToken {
    v1::IssuedToken {
        id: record.id.to_string(),
        name: record.name,
        methods: record.methods,
        expires: record.expires,
        uses: record.uses,
        used: record.used,
        to: record.to.unwrap_or_default(),
        revoked: record.revoked,
    }
}
