use std::{fs::File, os::fd::AsFd, panic::resume_unwind, path::Path, thread, time::Duration};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

/// A runtime whose threads are in a namespace. Dropped, its tasks are.
#[derive(Debug)]
pub(super) struct Inside(Option<Runtime>);

/// How long a task may be busy before it is left alone.
const GRACE: Duration = Duration::from_secs(5);

impl Inside {
    pub(super) fn new(namespace: &str) -> Self {
        let namespace = open(namespace);
        let mut runtime = Builder::new_multi_thread();
        runtime.worker_threads(2).enable_all().on_thread_start(move || enter(&namespace));
        Self(Some(runtime.build().expect("threads")))
    }

    /// Runs this in a thread of its own, which ends with it: none that is used again is moved.
    pub(super) fn run<T: Send>(namespace: &str, what: impl FnOnce() -> T + Send) -> T {
        let namespace = open(namespace);
        let done = thread::scope(|scope| {
            let inside = move || {
                enter(&namespace);
                what()
            };
            scope.spawn(inside).join()
        });
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }

    pub(super) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.0.as_ref().expect("a runtime, until it is dropped").spawn(task)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let Some(runtime) = self.0.take() else { return };
        // Threads of another runtime may not wait for one.
        let _ = thread::spawn(move || runtime.shutdown_timeout(GRACE)).join();
    }
}

fn open(namespace: &str) -> File {
    File::open(Path::new("/run/netns").join(namespace)).expect("a namespace, until it is dropped")
}

fn enter(namespace: &File) {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .expect("root may enter its own namespaces");
}
