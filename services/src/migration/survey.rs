use std::time::Duration;

use futures_util::future::join_all;
use polywire::{ConnectOptions, Status, Target, cli::CallerArgs};
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

/// How nodes are asked.
pub(super) struct Asking<'a> {
    pub(super) options: ConnectOptions,
    pub(super) caller: &'a CallerArgs,
    /// The calls that ended in this time count.
    pub(super) window: Duration,
    /// The time limit of each node.
    pub(super) patience: Duration,
}

impl Survey {
    /// Asks all nodes at once.
    pub(super) async fn of(targets: &[Target], asking: &Asking<'_>, side: CallSide) -> Self {
        let told = join_all(targets.iter().map(|target| asking.ask(target))).await;
        let mut survey = Self::default();
        for (target, told) in targets.iter().zip(told) {
            let added = told.and_then(|told| survey.traffic.add(&told, side).map_err(Status::internal));
            if let Err(status) = added {
                survey.silent.push((target.clone(), status));
            }
        }
        survey
    }
}

impl Asking<'_> {
    async fn ask(&self, target: &Target) -> Result<GetTrafficResponse, Status> {
        let asking = async {
            let opened = target.open(&self.options).await?;
            let client = MonitoringClient::new(self.caller.present(opened.channel));
            let window_ms = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
            let told = client.get_traffic(GetTrafficRequest { window_ms }).await;
            opened.close.await;
            told
        };
        let patience = self.patience;
        let late = |_| Status::deadline_exceeded(format!("{target} has not answered within {patience:?}"));
        tokio::time::timeout(patience, asking).await.map_err(late)?
    }
}
