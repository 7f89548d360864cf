//! The metrics as a call, beside the page.

use polywire_proto::monitoring::v1::GetMetricsRequest;
use polywire_services::monitoring::MonitoringClient;
use polywire_tests::node::Node;

use super::{samples, value};
use crate::node::{connect, health};

/// The lines that say what there is and what it is for, in their order.
fn families(page: &str) -> Vec<&str> {
    page.lines().filter(|line| line.starts_with('#')).collect()
}

#[tokio::test]
async fn the_metrics_that_are_called_for_are_those_of_the_page() {
    let node = Node::start(&[]).await;
    for (target, transport) in [(node.grpc(), "grpc"), (node.iroh(), "iroh")] {
        health(target, "").await.unwrap();
        health(target, "nobody").await.unwrap_err();
        let monitoring = MonitoringClient::new(connect(target).await);
        let ask = async || monitoring.get_metrics(GetMetricsRequest {}).await.unwrap().text;
        // From the first time on it is counted too.
        ask().await;
        let page = async || node.get("/metrics").await.body;
        let (before, told, after) = (page().await, ask().await, page().await);
        assert_eq!(families(&told), families(&before));
        assert_eq!(families(&told), families(&after));
        let (before, told, after) = (samples(&before), samples(&told), samples(&after));
        assert!(told.keys().eq(before.keys()) && told.keys().eq(after.keys()), "other series");

        let method = [("method", "GetMetrics"), ("transport", transport)];
        for (samples, in_flight) in [(&before, 0.0), (&told, 1.0), (&after, 0.0)] {
            assert_eq!(value(samples, "polywire_server_calls_in_flight", &method), in_flight);
        }
        let own =
            |series: &str| method.iter().all(|(key, value)| series.contains(&format!("{key}=\"{value}\"")));
        let mut compared = 0;
        // Beside the calls, the process itself and its connections move as they like.
        for (series, value) in told.iter().filter(|(series, _)| series.starts_with("polywire_server")) {
            if before[series] != after[series] {
                assert!(own(series), "{series} moved");
            } else if !series.starts_with("polywire_server_calls_in_flight") {
                assert_eq!(*value, before[series], "{series}");
                compared += 1;
            }
        }
        // One method's durations alone have twenty.
        assert!(compared > 20, "{compared} of {} stood still", told.len());
    }
}
