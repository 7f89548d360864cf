use std::sync::Arc;

use super::{Address, Config, names::Taken, server::Server};
use crate::{
    Limits,
    transport::{BindError, Bound, Serving},
};

/// A name that is bound.
#[derive(Debug)]
pub struct Listening {
    name: Taken,
    limits: Limits,
    max_concurrent_calls: usize,
}

pub(super) fn bind(config: Config) -> Result<Listening, BindError> {
    let key = "transport.memory.name";
    let address = Address::new(config.name).map_err(|problem| BindError::setting(key, problem))?;
    let taken = || BindError::setting(key, format!("{address} is bound already in this process"));
    let name = Taken::new(address.clone()).ok_or_else(taken)?;
    let limits = Limits { max_message_bytes: config.max_message_size, ..Limits::default() };
    Ok(Listening { name, limits, max_concurrent_calls: config.max_concurrent_streams as usize })
}

impl Bound for Listening {
    fn target(&self) -> String {
        self.name.address().to_string()
    }

    async fn serve(self, serving: Serving) {
        let Self { name, limits, max_concurrent_calls } = self;
        let drain = serving.drain.clone();
        let server = Arc::new(Server::new(serving, limits, max_concurrent_calls));
        let _over = Over(&server);
        name.serve(server.clone());
        drain.stopping().await;
        // From now on callers find no server, and know that the call was not processed.
        drop(name);
        tokio::select! {
            () = server.idle() => {}
            () = drain.cutting() => {}
        }
    }
}

/// Ends what is left, also where the serving is merely dropped.
struct Over<'a>(&'a Server);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
