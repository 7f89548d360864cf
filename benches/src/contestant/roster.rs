//! Everybody who takes part, and their names.

use iroh::endpoint::QuicTransportConfig;
use polywire::iroh::QuicProfile;

use super::{
    Contestant, Result, irpc_iroh::IrpcIroh, node, plain_iroh::PlainIroh, plain_quinn::PlainQuinn,
    plain_tonic::PlainTonic, tarpc_tcp::TarpcTcp,
};
use crate::pki::Pki;

pub(crate) const POLYWIRE_GRPC: &str = "polywire over gRPC";
pub(crate) const POLYWIRE_GRPC_TLS: &str = "polywire over gRPC, TLS";
pub(crate) const POLYWIRE_IROH: &str = "polywire over iroh";
pub(crate) const TONIC: &str = "plain tonic";
pub(crate) const TONIC_TLS: &str = "plain tonic, TLS";
pub(crate) const IROH: &str = "plain iroh";
pub(crate) const IRPC: &str = "irpc over iroh";

const IROH_TUNED: &str = "plain iroh, polywire's QUIC";
pub(super) const QUINN: &str = "plain quinn";
const TARPC: &str = "tarpc over TCP";

/// The contestants, each with its server running.
#[derive(Debug)]
pub struct Roster {
    contestants: Vec<Contestant>,
    /// The files that a stack may read when it connects.
    _pki: Pki,
}

impl Roster {
    /// Starts everybody whose name holds this text. All are started first: the machine is the same for
    /// everybody then.
    ///
    /// # Errors
    /// When one cannot be started, or nobody has such a name.
    pub async fn start(name: &str) -> Result<Self> {
        let pki = Pki::new()?;
        let mut contestants = node::contestants(&pki).await?;
        contestants.extend([
            Contestant::new(TONIC, None, PlainTonic::start(None)?).await?,
            Contestant::new(TONIC_TLS, None, PlainTonic::start(Some(&pki))?).await?,
            Contestant::new(IROH, None, PlainIroh::start(QuicTransportConfig::default()).await?).await?,
            Contestant::new(
                IROH_TUNED,
                Some(IROH),
                PlainIroh::start(QuicProfile::default().transport_config()).await?,
            )
            .await?,
            Contestant::new(QUINN, None, PlainQuinn::start(&pki)?).await?,
            Contestant::new(IRPC, Some(IROH), IrpcIroh::start().await?).await?,
            Contestant::new(TARPC, None, TarpcTcp::start().await?).await?,
        ]);
        contestants.retain(|contestant| contestant.name().contains(name));
        if contestants.is_empty() {
            return Err(format!("no contestant's name holds `{name}`").into());
        }
        Ok(Self { contestants, _pki: pki })
    }

    /// Who they are.
    pub fn contestants(&self) -> &[Contestant] {
        &self.contestants
    }
}
