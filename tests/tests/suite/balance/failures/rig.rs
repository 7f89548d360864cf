//! Servers of one ledger over gRPC and Iroh, whose connections can be broken in many ways.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use iroh::{
    Endpoint,
    endpoint::{Connection, Incoming, VarInt},
    protocol::ProtocolHandler,
};
use polywire::{
    Drain, Target, grpc,
    iroh::{ALPN, Handler},
    net::{Listener, ListenerOptions},
};
use polywire_tests::{
    endpoint,
    ledger::{Clerk, Fate, LedgerServer},
};
use tokio::task::JoinHandle;

use super::proxy::{Proxy, Toward};

/// The servers, and what was executed.
pub(super) struct Rig {
    pub(super) proxy: Proxy,
    books: Arc<Books>,
    endpoint: Endpoint,
    wires: Arc<Wires>,
    grpc: Mutex<Drain>,
    accepting: JoinHandle<()>,
}

/// The transports that a fault is to hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hits {
    pub(super) grpc: bool,
    pub(super) iroh: bool,
}

/// How often each order was executed, and what is done to the connections of one that lingers.
#[derive(Default)]
pub(super) struct Books {
    executed: Mutex<HashMap<u64, u32>>,
    on_lingering: Mutex<Option<Box<dyn Fn() + Send>>>,
}

/// The connections of Iroh, as the server has them.
struct Wires {
    open: Mutex<Vec<Connection>>,
    refuses: AtomicBool,
    handler: Mutex<Arc<Handler>>,
}

/// How many calls a connection of gRPC may have open. More than that wait, or are refused where they come too soon.
const STREAMS: u32 = 4;

impl Rig {
    pub(super) async fn start() -> Self {
        let books = Arc::new(Books::default());
        let (address, drain) = serve_grpc(&books).await;
        let endpoint = endpoint::builder().alpns(vec![ALPN.to_vec()]).bind().await.unwrap();
        let wires = Arc::new(Wires {
            open: Mutex::default(),
            refuses: AtomicBool::new(false),
            handler: Mutex::new(Arc::new(Handler::new(server(&books)))),
        });
        Self {
            proxy: Proxy::to(address).await,
            accepting: tokio::spawn(accept(endpoint.clone(), wires.clone())),
            books,
            endpoint,
            wires,
            grpc: Mutex::new(drain),
        }
    }

    /// The targets over Iroh and gRPC.
    pub(super) fn targets(&self) -> [String; 2] {
        [Target::from(self.endpoint.addr()).to_string(), format!("grpc://{}", self.proxy.address)]
    }

    /// How often an order was executed.
    pub(super) fn executed(&self, name: u64) -> u32 {
        self.books.executed.lock().unwrap().get(&name).copied().unwrap_or(0)
    }

    /// Each handler that lingers does this meanwhile.
    pub(super) fn on_lingering(&self, what: impl Fn() + Send + 'static) {
        *self.books.on_lingering.lock().unwrap() = Some(Box::new(what));
    }

    /// Breaks all connections; those of Iroh with this code.
    pub(super) fn cut(&self, hits: Hits, code: u32) {
        if hits.grpc {
            self.proxy.cut();
        }
        if hits.iroh {
            self.wires.cut(code);
        }
    }

    /// Breaks those of gRPC once so many bytes have gone this way.
    pub(super) fn cut_after(&self, bytes: u32, way: Toward) {
        self.proxy.cut_after(bytes, way);
    }

    /// Lets no connections in.
    pub(super) fn refuse(&self, hits: Hits) {
        self.proxy.refuse(hits.grpc);
        self.wires.refuses.store(hits.iroh, Ordering::SeqCst);
    }

    /// Other servers take the place of these, which let calls end that they have, and refuse others. Where it is cut short,
    /// they do not.
    pub(super) async fn replace(&self, cut_short: bool) {
        let (address, drain) = serve_grpc(&self.books).await;
        self.proxy.lead_to(address);
        let old = std::mem::replace(&mut *self.grpc.lock().unwrap(), drain);
        let handler = Arc::new(Handler::new(server(&self.books)));
        let old_handler = std::mem::replace(&mut *self.wires.handler.lock().unwrap(), handler);
        if cut_short {
            old.cut();
            self.wires.cut(SHUT_DOWN);
        } else {
            old.stop();
        }
        tokio::spawn(async move { old_handler.shutdown().await });
    }
}

/// `ConnectionCode::ShutDown` of `proto/WIRE.md`.
const SHUT_DOWN: u32 = 0x10;

fn server(books: &Arc<Books>) -> LedgerServer<Clerk> {
    let books = books.clone();
    LedgerServer::new(Clerk::new(move |order| {
        *books.executed.lock().unwrap().entry(order.name).or_default() += 1;
        if order.fate() == Fate::Lingers
            && let Some(what) = &*books.on_lingering.lock().unwrap()
        {
            what();
        }
    }))
}

async fn serve_grpc(books: &Arc<Books>) -> (SocketAddr, Drain) {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let (address, drain) = (listener.local_addr().unwrap(), Drain::new());
    let options = ListenerOptions { max_concurrent_streams: STREAMS, ..ListenerOptions::default() };
    tokio::spawn(listener.serve_http2(options, grpc::Adapter::new(server(books)), drain.clone()));
    (address, drain)
}

async fn accept(endpoint: Endpoint, wires: Arc<Wires>) {
    while let Some(incoming) = endpoint.accept().await {
        if wires.refuses.load(Ordering::SeqCst) {
            incoming.refuse();
            continue;
        }
        tokio::spawn(wires.clone().answer(incoming));
    }
}

impl Wires {
    async fn answer(self: Arc<Self>, incoming: Incoming) {
        let Ok(connection) = incoming.await else { return };
        let handler = self.handler.lock().unwrap().clone();
        self.open.lock().unwrap().push(connection.clone());
        // An error says that the connection was broken, as it should be.
        let _ = handler.accept(connection).await;
    }

    fn cut(&self, code: u32) {
        for connection in self.open.lock().unwrap().drain(..) {
            connection.close(VarInt::from_u32(code), b"cut");
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.accepting.abort();
        self.grpc.lock().unwrap().cut();
    }
}
