//! A service whose every execution counts: each order has a name, and the handler that executes it writes the name down.

use std::{
    fmt,
    fs::{self, File},
    io::Write,
    path::Path,
    sync::Arc,
    time::Duration,
};

use polywire::{Status, Streaming};

/// What is to be done once.
#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Order {
    /// Its name, which no other order has.
    #[prost(uint64, tag = "1")]
    pub name: u64,
    /// What becomes of the handler, as a [`Fate`].
    #[prost(enumeration = "Fate", tag = "2")]
    pub fate: i32,
    /// How many bytes the answer has.
    #[prost(uint32, tag = "3")]
    pub answer: u32,
    /// As much as is to be sent.
    #[prost(bytes = "vec", tag = "4")]
    pub ballast: Vec<u8>,
}

/// What becomes of a handler once it has executed an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Fate {
    /// It answers.
    Answers = 0,
    /// It answers after a while, in which the handler does something to the connection.
    Lingers = 1,
    /// It never answers.
    Dawdles = 2,
    /// It fails.
    Fails = 3,
    /// It panics.
    Panics = 4,
    /// Its process ends before the order is written down.
    DiesBefore = 5,
    /// Its process ends after that.
    DiesAfter = 6,
}

/// That it was done.
#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Entry {
    /// So many bytes as were asked for.
    #[prost(bytes = "vec", tag = "1")]
    pub ballast: Vec<u8>,
}

/// Writes orders down. None of its methods may be called twice for one, but for `look`.
#[polywire::service(package = "ledger.v1")]
pub trait Ledger {
    /// Executes an order.
    async fn enter(&self, order: Order) -> Result<Entry, Status>;
    /// Executes the first order, and takes in what follows it.
    async fn enter_all(&self, orders: Streaming<Order>) -> Result<Entry, Status>;
    /// Executes an order, and answers three times.
    async fn follow(&self, order: Order) -> Result<Streaming<Entry>, Status>;
    /// Executes nothing.
    #[rpc(idempotent)]
    async fn look(&self, order: Order) -> Result<Entry, Status>;
}

/// What a handler says that fails as it was told to.
pub const AS_ORDERED: &str = "as ordered";

/// How long one lingers.
const WHILE: Duration = Duration::from_millis(1);

/// Executes orders by calling this.
#[derive(Clone)]
pub struct Clerk(Arc<dyn Fn(&Order) + Send + Sync>);

impl Clerk {
    /// Each order that is executed is handed to this.
    pub fn new(execute: impl Fn(&Order) + Send + Sync + 'static) -> Self {
        Self(Arc::new(execute))
    }

    async fn execute(&self, order: Order) -> Result<Entry, Status> {
        (self.0)(&order);
        match order.fate() {
            Fate::Lingers => tokio::time::sleep(WHILE).await,
            Fate::Dawdles => std::future::pending().await,
            Fate::Fails => return Err(Status::failed_precondition(AS_ORDERED)),
            Fate::Panics => panic!("{AS_ORDERED}"),
            Fate::Answers | Fate::DiesBefore | Fate::DiesAfter => {}
        }
        Ok(Entry { ballast: vec![0; order.answer as usize] })
    }
}

impl Ledger for Clerk {
    async fn enter(&self, order: Order) -> Result<Entry, Status> {
        self.execute(order).await
    }

    async fn enter_all(&self, mut orders: Streaming<Order>) -> Result<Entry, Status> {
        let Some(order) = orders.message().await? else {
            return Err(Status::invalid_argument("there is no order"));
        };
        let entry = self.execute(order).await?;
        while orders.message().await?.is_some() {}
        Ok(entry)
    }

    async fn follow(&self, order: Order) -> Result<Streaming<Entry>, Status> {
        let entry = self.execute(order).await?;
        Ok(Streaming::from_iter(std::iter::repeat_n(entry, 3)))
    }

    async fn look(&self, _: Order) -> Result<Entry, Status> {
        Ok(Entry::default())
    }
}

impl fmt::Debug for Clerk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clerk").finish_non_exhaustive()
    }
}

/// The names of executed orders in a file, which a process leaves that is killed.
#[derive(Debug)]
pub struct Journal(File);

impl Journal {
    /// The variable of the environment that names the file, for the binary `ledger-node`.
    pub const VARIABLE: &str = "LEDGER_JOURNAL";

    /// Writes to the end of this file.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn append_to(path: impl AsRef<Path>) -> Self {
        Self(File::options().append(true).create(true).open(path).expect("a file to write to"))
    }

    /// Writes a name down. The kernel has it once this returns, whatever becomes of the process.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn enter(&self, name: u64) {
        // One write of a few bytes at the end is whole, whichever process writes beside.
        (&self.0).write_all(format!("{name}\n").as_bytes()).expect("room for a line");
    }

    /// All names in this file.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn read(path: impl AsRef<Path>) -> Vec<u64> {
        let text = fs::read_to_string(path).expect("a journal");
        text.lines().map(|line| line.parse().expect("a name")).collect()
    }
}
