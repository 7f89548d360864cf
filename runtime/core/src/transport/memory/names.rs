use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, LazyLock},
};

use tokio::sync::watch;

use super::{Address, server::Server};
use crate::sync::{Mutex, MutexGuard};

/// The server of each name; none yet if the name is bound and not served.
static NAMES: LazyLock<Mutex<HashMap<Address, Slot>>> = LazyLock::new(Mutex::default);

type Slot = watch::Sender<Option<Arc<Server>>>;

fn names() -> MutexGuard<'static, HashMap<Address, Slot>> {
    NAMES.lock()
}

/// A name that is taken for as long as this lives.
#[derive(Debug)]
pub(super) struct Taken {
    address: Address,
    slot: Slot,
}

impl Taken {
    /// Takes the name; `None` if it is taken.
    pub(super) fn new(address: Address) -> Option<Self> {
        let slot = watch::Sender::new(None);
        match names().entry(address.clone()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(entry) => {
                entry.insert(slot.clone());
                Some(Self { address, slot })
            }
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Calls under this name are answered from now on, those that wait for it among them.
    pub(super) fn serve(&self, server: Arc<Server>) {
        self.slot.send_replace(Some(server));
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        names().remove(&self.address);
        self.slot.send_replace(None);
    }
}

/// The server of this name, once it is served; `None` if the name is not bound.
pub(super) async fn find(address: &Address) -> Option<Arc<Server>> {
    // Only the receiver is kept: a name that is given up meanwhile ends the waiting.
    let mut slot = names().get(address)?.subscribe();
    let found = slot.wait_for(Option::is_some).await.ok()?;
    found.clone()
}
