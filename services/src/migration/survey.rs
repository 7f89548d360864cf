use std::time::Duration;

use futures_util::future::join_all;
use polywire::{ConnectOptions, Status, Target};
use polywire_proto::monitoring::v1::{CallSide, GetTrafficRequest, GetTrafficResponse};

use super::traffic::Traffic;
use crate::monitoring::MonitoringClient;

/// The recent calls of several nodes.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) traffic: Traffic,
    /// The nodes that did not answer, and why.
    pub(super) silent: Vec<(Target, Status)>,
}

impl Survey {
    /// Asks all nodes at once, each with this time limit.
    pub(super) async fn of(
        targets: &[Target],
        options: &ConnectOptions,
        side: CallSide,
        window: Duration,
        patience: Duration,
    ) -> Self {
        let asking = targets.iter().map(|target| ask(target, options, window, patience));
        let mut survey = Self::default();
        for (target, told) in targets.iter().zip(join_all(asking).await) {
            let added = told.and_then(|told| survey.traffic.add(&told, side).map_err(Status::internal));
            if let Err(status) = added {
                survey.silent.push((target.clone(), status));
            }
        }
        survey
    }
}

async fn ask(
    target: &Target,
    options: &ConnectOptions,
    window: Duration,
    patience: Duration,
) -> Result<GetTrafficResponse, Status> {
    let asking = async {
        let opened = target.open(options).await?;
        let client = MonitoringClient::new(opened.channel);
        let request = GetTrafficRequest { window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX) };
        let told = client.get_traffic(request).await;
        opened.close.await;
        told
    };
    let late = |_| Status::deadline_exceeded(format!("{target} has not answered within {patience:?}"));
    tokio::time::timeout(patience, asking).await.map_err(late)?
}
