use polywire::{Health, NodeState};

/// Returns once the node drains: streams without an end of their own end then.
pub(crate) async fn draining(health: &Health) {
    let mut reports = health.watch();
    // The sender is held by `health`.
    let _ = reports.wait_for(|report| report.state == NodeState::Draining).await;
}
