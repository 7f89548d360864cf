use std::path::PathBuf;

use polywire_core::{
    Channel, ConnectOptions, Context, Metadata, Payload, Response, Service, Status, Streaming, layer,
};

use super::access::TokenArg;
use crate::{command::CommandError, node::Identity};

/// What a command trusts and what it proves of its caller: the options `--ca`, `--identity` and `--token`. For commands of a node's own, by
/// `#[command(flatten)]`; they may stand behind a subcommand too.
///
/// ```no_run
/// # async fn example(caller: polywire::cli::CallerArgs, target: polywire::Target) -> Result<(), polywire::cli::CommandError> {
/// let opened = target.open(&caller.connect_options()?).await?;
/// let channel = caller.present(opened.channel);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, clap::Args)]
pub struct CallerArgs {
    /// Trusts these certificate authorities (PEM) for grpcs:// instead of the system's
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Proves the key in this file, the identity.key of a data directory, to the target; not over grpc://, ws:// and unix://
    #[arg(long, global = true, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Presents this token, from `invite`, with each call; @FILE reads it from a file
    #[arg(long, global = true, value_name = "TOKEN")]
    token: Option<TokenArg>,
}

impl CallerArgs {
    /// The options of connecting.
    ///
    /// # Errors
    /// If a file cannot be used. This is not the status of a call.
    pub fn connect_options(&self) -> Result<ConnectOptions, CommandError> {
        self.adapt(ConnectOptions::new()).map_err(CommandError::Other)
    }

    /// The channel, whose calls present the token from now on.
    #[must_use]
    pub fn present(&self, channel: Channel) -> Channel {
        match &self.token {
            Some(token) => {
                let metadata = token.metadata();
                channel.layer(&layer::wrap(move |inner| Presenting { inner, metadata: metadata.clone() }))
            }
            None => channel,
        }
    }

    /// These options, with the authorities and the identity.
    pub(super) fn adapt(
        &self,
        mut options: ConnectOptions,
    ) -> Result<ConnectOptions, Box<dyn std::error::Error + Send + Sync>> {
        if let Some(file) = &self.ca {
            options = options.ca_file(file);
            options.check_ca_file().map_err(|status| status.message().to_owned())?;
        }
        if let Some(file) = &self.identity {
            options = options.secret_key(Identity::load(file)?.secret_key().to_bytes());
        }
        Ok(options)
    }

    pub(super) fn token(&self) -> Option<&TokenArg> {
        self.token.as_ref()
    }

    /// The metadata of each call.
    pub(super) fn metadata(&self) -> Metadata {
        self.token().map(TokenArg::metadata).unwrap_or_default()
    }
}

/// Adds these metadata to each call.
struct Presenting {
    inner: Channel,
    metadata: Metadata,
}

impl Presenting {
    fn add(&self, mut cx: Context) -> Context {
        cx.metadata_mut().extend(self.metadata.clone());
        cx
    }
}

impl Service for Presenting {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.inner.unary(self.add(cx), message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.inner.stream(self.add(cx), messages).await
    }
}
