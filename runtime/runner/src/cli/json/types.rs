use std::collections::{BTreeSet, HashMap};

use parking_lot::Mutex;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use tokio::sync::{mpsc, oneshot};

/// The types that `google.protobuf.Any` may name: those of some pools, and those from the target.
pub(in crate::cli) struct Types {
    pools: Vec<DescriptorPool>,
    learnt: Mutex<Learnt>,
    questions: Option<mpsc::Sender<Question>>,
}

/// A request for the type of this name, which may be unknown.
pub(in crate::cli) type Question = (String, oneshot::Sender<Option<MessageDescriptor>>);

#[derive(Default)]
struct Learnt {
    /// The answers so far; `None` for an unknown type.
    types: HashMap<String, Option<MessageDescriptor>>,
    /// The types that were not found and not requested yet.
    missing: BTreeSet<String>,
}

impl Types {
    /// The types of these pools alone.
    pub(in crate::cli) fn of(pools: impl IntoIterator<Item = DescriptorPool>) -> Self {
        Self { pools: pools.into_iter().collect(), learnt: Mutex::default(), questions: None }
    }

    /// The types of these pools, and those that the receiver of the questions answers with.
    pub(in crate::cli) fn asking(
        pools: impl IntoIterator<Item = DescriptorPool>,
    ) -> (Self, mpsc::Receiver<Question>) {
        let (questions, asked) = mpsc::channel(1);
        (Self { questions: Some(questions), ..Self::of(pools) }, asked)
    }

    /// The type of this name. An unknown name is recorded for [`learn`](Self::learn).
    pub(super) fn find(&self, name: &str) -> Option<MessageDescriptor> {
        if let Some(found) = self.pools.iter().find_map(|pool| pool.get_message_by_name(name)) {
            return Some(found);
        }
        let mut learnt = self.learnt.lock();
        match learnt.types.get(name) {
            Some(learnt) => learnt.clone(),
            None => {
                learnt.missing.insert(name.to_owned());
                None
            }
        }
    }

    /// Asks for the types that were not found. Returns whether there were any, so that a retry may find more.
    pub(in crate::cli) async fn learn(&self) -> bool {
        let Some(questions) = &self.questions else { return false };
        let missing = self.missing();
        for name in &missing {
            let (answer, answered) = oneshot::channel();
            // Without a receiver the type stays unknown.
            let _ = questions.send((name.clone(), answer)).await;
            self.note(name, answered.await.ok().flatten());
        }
        !missing.is_empty()
    }

    /// The blocking form of [`learn`](Self::learn).
    pub(in crate::cli) fn learn_blocking(&self) -> bool {
        let Some(questions) = &self.questions else { return false };
        let missing = self.missing();
        for name in &missing {
            let (answer, answered) = oneshot::channel();
            let _ = questions.blocking_send((name.clone(), answer));
            self.note(name, answered.blocking_recv().ok().flatten());
        }
        !missing.is_empty()
    }

    fn missing(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.learnt.lock().missing)
    }

    fn note(&self, name: &str, found: Option<MessageDescriptor>) {
        self.learnt.lock().types.insert(name.to_owned(), found);
    }
}

impl std::fmt::Debug for Types {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Types").field("pools", &self.pools.len()).finish_non_exhaustive()
    }
}
