use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    Health,
    metrics::{Format, Metrics},
};

/// The node's HTTP side: `/metrics`, `/livez`, `/readyz`.
pub(super) fn routes(metrics: Metrics, health: Health) -> Router {
    Router::new()
        .route("/metrics", get(scrape).with_state(metrics))
        .route("/livez", get(live).with_state(health.clone()))
        .route("/readyz", get(ready).with_state(health))
}

async fn scrape(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::negotiate(accept);
    ([(header::CONTENT_TYPE, format.content_type())], metrics.render(format)).into_response()
}

/// 200, or 503 with the reason once the process needs a restart.
async fn live(State(health): State<Health>) -> Response {
    match health.report().needs_restart {
        None => "ok\n".into_response(),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("a restart is needed: {reason}\n")).into_response()
        }
    }
}

/// 200 while the node accepts calls, otherwise 503; `?verbose` lists the state of each component.
async fn ready(State(health): State<Health>, request: Request) -> Response {
    let report = health.report();
    let status = if report.is_serving() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = request
        .uri()
        .query()
        .is_some_and(|query| query.split('&').any(|key| key.split('=').next() == Some("verbose")));
    if !verbose {
        return (status, if report.is_serving() { "ok\n" } else { "not ready\n" }).into_response();
    }
    let mut text = format!("state: {:?}\n", report.state).to_lowercase();
    if let Some(reason) = &report.needs_restart {
        text += &format!("a restart is needed: {reason}\n");
    }
    for (component, outcome) in &report.components {
        match outcome {
            Ok(()) => text += &format!("{component}: ok\n"),
            Err(reason) => text += &format!("{component}: {reason}\n"),
        }
    }
    for (service, reason) in &report.failing_services {
        text += &format!("{service}: {reason}\n");
    }
    for (about, note) in &report.notes {
        // One line per note.
        text += &format!("note: {about}: {}\n", note.replace('\n', " "));
    }
    (status, text).into_response()
}
