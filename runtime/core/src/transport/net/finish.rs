use std::fmt::Display;
use std::pin::pin;

use hyper_util::server::graceful::GracefulConnection;

use crate::Drain;

/// Drives a connection to its end: in its own time, gracefully once `drain` is stopped, by dropping it on a
/// cut.
pub(super) async fn finish<C>(connection: C, remote: impl Display, drain: &Drain)
where
    C: GracefulConnection<Error: Display>,
{
    let mut connection = pin!(connection);
    let gracefully = async {
        tokio::select! {
            outcome = connection.as_mut() => return outcome,
            () = drain.stopping() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    };
    tokio::select! {
        outcome = gracefully => match outcome {
            Ok(()) => tracing::trace!(%remote, "connection ended"),
            Err(error) => tracing::debug!(%remote, %error, "connection ended with an error"),
        },
        () = drain.cutting() => tracing::debug!(%remote, "connection cut"),
    }
}
