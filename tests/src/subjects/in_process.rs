use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use polywire::{
    Channel, ConnectOptions, Status,
    transport::{BindContext, BindError, Bound, Connected, Scheme, Serving, Transport},
};

/// The server is the client: a call is one of the service itself, and nothing is between the two.
#[derive(Clone, Copy, Debug)]
pub struct InProcess;

polywire::section! {
    /// Nothing to be set.
    pub struct InProcessConfig {
        /// Whether it is used.
        pub enabled: bool = false,
    }
}

/// The number of a service of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InProcessAddress(usize);

impl fmt::Display for InProcessAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process://{}", self.0)
    }
}

/// A service that is found until this is dropped.
#[derive(Debug)]
pub struct InProcessBound(InProcessAddress);

static SERVICES: LazyLock<Mutex<BTreeMap<usize, Channel>>> = LazyLock::new(Mutex::default);

fn services() -> MutexGuard<'static, BTreeMap<usize, Channel>> {
    SERVICES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transport for InProcess {
    type Config = InProcessConfig;
    type Address = InProcessAddress;
    type Bound = InProcessBound;

    fn name(&self) -> &'static str {
        "process"
    }

    fn schemes(&self) -> &'static [Scheme] {
        &[Scheme { name: "process", form: "process://number" }]
    }

    fn parse(&self, _: &'static str, rest: &str) -> Result<InProcessAddress, String> {
        rest.parse().map(InProcessAddress).map_err(|error| format!("{rest:?} is no number: {error}"))
    }

    async fn connect(&self, address: InProcessAddress, _: ConnectOptions) -> Result<Connected, Status> {
        let service = services().get(&address.0).cloned();
        let absent = || Status::unavailable(format!("nothing is served at {address}")).not_processed();
        Ok(Connected::new(service.ok_or_else(absent)?))
    }

    async fn bind(&self, _: InProcessConfig, node: BindContext) -> Result<InProcessBound, BindError> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let address = InProcessAddress(NEXT.fetch_add(1, Ordering::Relaxed));
        services().insert(address.0, node.service().clone());
        Ok(InProcessBound(address))
    }
}

impl Bound for InProcessBound {
    fn target(&self) -> String {
        self.0.to_string()
    }

    async fn serve(self, serving: Serving) {
        serving.drain.stopping().await;
    }
}

impl Drop for InProcessBound {
    fn drop(&mut self) {
        services().remove(&self.0.0);
    }
}
