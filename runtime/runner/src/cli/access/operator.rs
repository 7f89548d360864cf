//! Calls of a command to the node that it operates, and what it does where none runs.

use std::time::{Duration, SystemTime};

use polywire_core::{Code, Codec, Message, Metadata, Payload, Service as _, Status, Target};

use super::{args::NodeArgs, messages::SERVICE};
use crate::{
    cli::{
        connect::Client,
        directory::{LIST, ListRequest, ListResponse, Service},
        failure::Failure,
        flags::Flags,
        log, lookup, print, settings,
    },
    config::Config,
    node::{Identity, Listening},
    tokens::{Token, authorization},
};

/// The node whose access is asked about: the running one, or its data directory.
pub(super) struct Operator {
    args: NodeArgs,
    pub(super) config: Config,
}

/// The services of a node, as far as it tells them.
pub(super) enum Listed {
    Services(Vec<Service>),
    /// The node does not tell them to this caller.
    Untold,
    /// There is none to call, so that the data directory has to do.
    NoNode,
}

/// The transports that prove to a caller which node it calls, the fastest first. Only over these may a command present a
/// token that it has signed itself: what listens at a port may be another program by now.
const PROVED: [&str; 3] = ["unix", "iroh", "quic"];

/// The validity of that token.
const ONE_COMMAND: Duration = Duration::from_secs(60);

/// The time limit of finding out whether a node runs.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Operator {
    pub(super) fn new(mut args: NodeArgs, flags: Flags) -> Result<Self, Failure> {
        log::init_client(args.connect.verbose);
        let config = settings::load(&args.config, flags)?.config;
        args.connect.timeout.get_or_insert(TIMEOUT);
        Ok(Self { args, config })
    }

    /// The key in the data directory.
    pub(super) fn identity(&self) -> Result<Identity, Failure> {
        Identity::load_or_create(&self.config.node.data_dir).map_err(Failure::other)
    }

    /// The last known targets of the node of the data directory.
    pub(super) fn targets(&self) -> Vec<Target> {
        let known = Listening::of(&self.config.node.data_dir).load();
        known.into_iter().filter_map(|(_, target)| target.parse().ok()).collect()
    }

    /// The services of the node.
    ///
    /// # Errors
    /// If the options cannot be used. A node that was named must be there.
    pub(super) async fn services(&self) -> Result<Listed, Failure> {
        let metadata = lookup::metadata(&self.args.connect.caller.metadata());
        match self.call_any(metadata, LIST, &ListRequest { members: false }).await {
            Ok(ListResponse { services, .. }) => Ok(Listed::Services(services)),
            Err(Failure::Status(status)) if !is_unreached(&status) => Ok(Listed::Untold),
            Err(Failure::Status(status)) if self.args.node.is_none() => {
                self.note(status.message());
                Ok(Listed::NoNode)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Calls the node; `None` if there is none to call, so that the data directory has to do.
    ///
    /// # Errors
    /// Those of the call. A node that was named must answer.
    pub(super) async fn ask<A>(
        &self,
        path: &str,
        request: &(impl Message + Clone),
    ) -> Result<Option<A>, Failure>
    where
        A: Message,
    {
        match self.call_any(self.args.connect.caller.metadata(), path, request).await {
            Err(Failure::Status(status)) if self.args.node.is_none() && is_absent(&status) => {
                self.note(status.message());
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }

    /// Calls the node that was named, with these metadata, or the one of the data directory.
    async fn call_any<A>(
        &self,
        metadata: Metadata,
        path: &str,
        request: &(impl Message + Clone),
    ) -> Result<A, Failure>
    where
        A: Message,
    {
        if let Some(target) = &self.args.node {
            return self.call(vec![target.clone()], metadata, path, request.clone()).await;
        }
        let mut targets = self.targets();
        let place = |target: &Target| PROVED.iter().position(|name| *name == target.transport());
        targets.sort_by_key(|target| place(target).unwrap_or(PROVED.len()));
        if targets.is_empty() {
            return Err(Status::unavailable("no node has run on it").not_processed().into());
        }
        let proved: Vec<_> = targets.iter().filter(|target| place(target).is_some()).cloned().collect();
        let mut answer = self.call(targets, Metadata::new(), path, request.clone()).await;
        if let Err(Failure::Status(status)) = &answer
            && lookup::is_denied(status)
            && !proved.is_empty()
        {
            answer = self.call(proved, self.own_token()?, path, request.clone()).await;
        }
        answer
    }

    async fn call<A>(
        &self,
        targets: Vec<Target>,
        metadata: Metadata,
        path: &str,
        request: impl Message,
    ) -> Result<A, Failure>
    where
        A: Message,
    {
        let client = Client::open(targets, None, &self.args.connect).await?;
        // Every node reads protobuf, on any transport.
        let cx = client.context(path, &metadata, Some(Codec::Protobuf), false);
        let answer = client.in_time(client.channel.unary(cx, Payload::new(request))).await;
        let answer =
            answer.map_err(|status| client.named(status)).and_then(|answer| answer.into_message().decode());
        client.close().await;
        Ok(answer?)
    }

    /// A token for this command: the key in the data directory is the node's own.
    fn own_token(&self) -> Result<Metadata, Failure> {
        let methods = [SERVICE, LIST].map(|path| path.trim_start_matches('/').to_owned()).into();
        let expires = SystemTime::now() + ONE_COMMAND;
        let token =
            Token::of_owner(self.identity()?.secret_key(), methods, expires).map_err(Failure::other)?;
        let (key, value) = authorization(&token.to_string());
        let mut metadata = Metadata::new();
        metadata.append(key, value).map_err(Failure::other)?;
        Ok(metadata)
    }

    fn note(&self, why: &str) {
        let data_dir = self.config.node.data_dir.display();
        print::note(format_args!("note: the data directory {data_dir} is used without its node: {why}"));
    }
}

/// Whether the call has reached no node, or one that has no service for it.
fn is_absent(status: &Status) -> bool {
    is_unreached(status) || status.code() == Code::Unimplemented
}

fn is_unreached(status: &Status) -> bool {
    status.code() == Code::Unavailable && status.is_not_processed()
}
