//! Deadlines travel with a call and with the calls that its handler makes; dropping a call cancels its handler.

use std::{error::Error, future::pending, time::Duration};

use polywire::{Context, Status};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Job {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[polywire::service(package = "jobs.v1")]
pub trait Jobs {
    /// Never finishes. Without a deadline of the caller, this is the deadline.
    #[rpc(timeout = "30s")]
    async fn work(&self, cx: &Context, job: Job) -> Result<Job, Status>;
    /// Hands the job on to the service behind this one.
    async fn delegate(&self, cx: &Context, job: Job) -> Result<Job, Status>;
}

struct Worker {
    events: UnboundedSender<String>,
    next: Option<JobsClient>,
}

/// Says when the handler's future is dropped, whatever ended it.
struct Guard(UnboundedSender<String>, String);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send(format!("the handler of {:?} was dropped", self.1));
    }
}

impl Jobs for Worker {
    async fn work(&self, cx: &Context, job: Job) -> Result<Job, Status> {
        let _guard = Guard(self.events.clone(), job.name);
        let seconds = cx.time_left().unwrap_or_default().as_secs_f64().ceil();
        let _ = self.events.send(format!("a handler began, with at most {seconds} s"));
        pending().await
    }

    async fn delegate(&self, cx: &Context, job: Job) -> Result<Job, Status> {
        let next =
            self.next.as_ref().ok_or_else(|| Status::failed_precondition("no service is behind this one"))?;
        // `.context(cx)` passes on the deadline and the trace, and no metadata.
        next.work(job).context(cx).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (events, mut happened) = unbounded_channel();
    let back =
        polywire_examples::over_grpc(JobsServer::new(Worker { events: events.clone(), next: None })).await?;
    let front = Worker { events, next: Some(JobsClient::new(back.clone())) };
    let front = JobsClient::new(polywire_examples::over_grpc(JobsServer::new(front)).await?);
    let back = JobsClient::new(back);
    let job = |name: &str| Job { name: name.to_owned() };

    // The deadline ends the call at both ends, two hops away too.
    let status = front.delegate(job("two hops")).timeout(Duration::from_millis(300)).await.unwrap_err();
    println!("{}", status.code());
    for _ in 0..2 {
        println!("{}", happened.recv().await.ok_or("the worker is gone")?);
    }

    // Dropping the call cancels it: here, because another branch of `select!` was first.
    let begun = async {
        println!("{}", happened.recv().await.unwrap_or_default());
    };
    tokio::select! {
        outcome = back.work(job("dropped")) => println!("unexpected: {outcome:?}"),
        () = begun => println!("dropping the call"),
    }
    println!("{}", happened.recv().await.ok_or("the worker is gone")?);
    Ok(())
}
