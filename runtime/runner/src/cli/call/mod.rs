//! `call`.

mod called;
pub(in crate::cli) mod details;
mod form;
mod header;
mod input;
mod method_name;
mod msgpack;
mod named;
mod nesting;
mod output;
mod own;
mod plain;
mod requests;

use std::{
    convert::Infallible,
    future::Future,
    io::{self, Write},
    sync::Arc,
};

use tokio::sync::mpsc;

pub(in crate::cli) use self::{
    called::{CallMethod, CallTarget},
    form::Form,
    header::Header,
    method_name::MethodName,
};

use self::{called::Called, form::Request, output::Output, own::Own, requests::Requests};
use super::{
    args::CallArgs,
    connect::Client,
    failure::Failure,
    interrupt::Interrupt,
    json::{Question, Shown},
    log, lookup,
    node::Made,
    print, reflection,
    schema::{self, Schema},
};
use polywire_core::{
    __runner::{body, deadline},
    Codec, Context, Metadata, Payload, Response, Service as _, Shape, Status, Streaming,
};

pub(super) async fn call(args: CallArgs, node: impl Future<Output = Made>) -> Result<(), Failure> {
    log::init_client(args.connect.verbose);
    let mut interrupt = Interrupt::new().map_err(Failure::other)?;
    let token = args.connect.caller.token().cloned();
    let Called { targets, method, json } = Called::of(args.target, args.method, args.json, token.as_ref())?;
    if let Some(text) = json.as_deref().filter(|text| *text != "-") {
        // Malformed JSON is reported before a connection is made.
        Requests::given(text, Form::Plain).map_err(|bad| Failure::usage(bad.to_string()))?;
    }
    let interrupted = || Failure::from(Status::cancelled("interrupted"));
    let own = interrupt.before(Own::of(node)).await.ok_or_else(interrupted)?;
    let targets: Vec<_> = targets.into_iter().chain(args.fallback).collect();
    let opening = Client::open_to(targets, args.discover, Some(method.path()), &args.connect);
    let client = interrupt.before(opening).await.ok_or_else(interrupted)??;
    let output = Output::new(io::stdout(), args.connect.verbose > 0);
    let metadata = Header::collect(args.headers, token.as_ref());
    let call = make(&client, &own, &method, metadata, args.codec, json, output);
    let call = async {
        tokio::select! {
            biased;
            outcome = call => outcome,
            () = print::reader_gone() => Err(Failure::Gone),
        }
    };
    let outcome = interrupt.before(call).await.unwrap_or_else(|| Err(interrupted()));
    if let Some(explanation) = client.explain().filter(|_| args.explain) {
        print::notes(explanation);
    }
    client.close().await;
    outcome
}

async fn make(
    client: &Client,
    own: &Own,
    method: &MethodName,
    metadata: Metadata,
    codec: Option<Codec>,
    json: Option<String>,
    output: Output<impl Write>,
) -> Result<(), Failure> {
    let lookups = lookup::metadata(&metadata);
    let (mut schema, questions) = schema::find(client, own.descriptor_sets(), &lookups, method).await?;
    if matches!(schema.form, Form::Plain) {
        schema = schema.or_of(own.method(method));
        note_of(&schema.form, method);
    }
    if client.has_fallback() && !schema.idempotent && matches!(schema.form, Form::Described { .. }) {
        schema.idempotent = schema::is_idempotent(client, &lookups, method).await;
    }
    let answering = answer(client, &lookups, questions);
    let calling = make_by(client, schema, method, metadata, codec, json, output);
    tokio::select! {
        biased;
        outcome = calling => outcome,
        never = answering => match never {},
    }
}

/// Says how JSON is sent that no schema describes.
fn note_of(form: &Form, method: &MethodName) {
    let names = match form {
        Form::Named(_) => "the Rust field names of this binary",
        _ => "Rust field names, and unknown names are ignored",
    };
    let service = method.service();
    print::note(format_args!(
        "note: no schema of {service} was found: JSON is sent in MessagePack by {names}"
    ));
}

/// Looks up unknown types in the target's reflection.
async fn answer(
    client: &Client,
    metadata: &Metadata,
    questions: Option<mpsc::Receiver<Question>>,
) -> Infallible {
    if let Some(mut questions) = questions {
        while let Some((name, answer)) = questions.recv().await {
            let found = match reflection::describe(client, metadata, &name).await {
                Ok(pool) => pool.get_message_by_name(&name),
                Err(status) => {
                    tracing::debug!(%status, name, "no type from reflection");
                    None
                }
            };
            // The receiver may have gone.
            let _ = answer.send(found);
        }
    }
    std::future::pending().await
}

async fn make_by(
    client: &Client,
    schema: Schema,
    method: &MethodName,
    metadata: Metadata,
    codec: Option<Codec>,
    json: Option<String>,
    output: Output<impl Write>,
) -> Result<(), Failure> {
    let requests = Arc::new(read(json.as_deref(), &schema).await?);
    let call = Making { client, method, metadata, schema, codec, output };
    call.make(&requests).await
}

/// The requests: from the argument or stdin; without an argument an empty message, or no message for a request stream.
async fn read(json: Option<&str>, schema: &Schema) -> Result<Requests, Failure> {
    let text = match json {
        Some("-") => return Ok(Requests::stdin(schema.form.clone())),
        Some(text) => text,
        None if schema.shape.is_some_and(Shape::streams_requests) => "",
        None => "{}",
    };
    loop {
        match Requests::given(text, schema.form.clone()) {
            // The type of an `Any` may only be known to the target.
            Err(_) if schema.form.learn().await => {}
            read => return read.map_err(|bad| Failure::usage(bad.to_string())),
        }
    }
}

/// A call to make.
struct Making<'a, W> {
    client: &'a Client,
    method: &'a MethodName,
    metadata: Metadata,
    schema: Schema,
    codec: Option<Codec>,
    output: Output<W>,
}

impl<W: Write> Making<'_, W> {
    async fn make(mut self, requests: &Arc<Requests>) -> Result<(), Failure> {
        let outcome = match self.schema.shape {
            Some(Shape::Unary) => {
                let request = self.single_in_time(requests).await?;
                self.unary(request).await
            }
            Some(Shape::ServerStreaming) => {
                let request = self.single_in_time(requests).await?;
                self.stream(Streaming::once(request.into_payload())).await
            }
            // An unknown shape is called as a bidirectional stream, which covers every shape.
            Some(Shape::ClientStreaming | Shape::BidiStreaming) | None => {
                self.stream(requests.stream()).await
            }
        };
        match (requests.bad(), outcome) {
            (Some(bad), _) => Err(Failure::usage(bad.to_string())),
            (None, Err(Failure::Status(status))) => {
                let status = self.client.named(status);
                self.output.trailing(status.metadata());
                Err(self.explained(status).await)
            }
            (None, outcome) => outcome,
        }
    }

    /// The status, with its details if they can be decoded.
    async fn explained(&self, status: Status) -> Failure {
        let Form::Described { types, .. } = &self.schema.form else { return status.into() };
        let mut shown = details::shown(&status, types);
        while shown.is_some() && types.learn().await {
            shown = details::shown(&status, types);
        }
        match shown {
            Some(Shown { json, notes }) => Failure::Detailed(status, json, notes),
            None => status.into(),
        }
    }

    /// Prints a response.
    async fn show(&mut self, message: &Payload) -> Result<(), Failure> {
        let mut shown = self.schema.form.to_json(message)?;
        while self.schema.form.learn().await {
            shown = self.schema.form.to_json(message)?;
        }
        for why in shown.notes {
            print::note(format_args!("note: {why}"));
        }
        self.output.message(&shown.json)
    }

    /// The only request, or `DeadlineExceeded`.
    async fn single_in_time(&self, requests: &Requests) -> Result<Request, Failure> {
        let request = self.single(requests);
        match self.client.deadline() {
            None => request.await,
            Some(deadline) => tokio::time::timeout_at(deadline, request)
                .await
                .unwrap_or_else(|_| Err(deadline::exceeded().into())),
        }
    }

    /// The only request.
    async fn single(&self, requests: &Requests) -> Result<Request, Failure> {
        let next = async || match requests.next().await {
            Some(Err(bad)) => Err(Failure::usage(bad.to_string())),
            Some(Ok(request)) => Ok(Some(request)),
            None => Ok(None),
        };
        let expected = |found: &str| {
            let (method, form) = (&self.method, self.schema.form.expected());
            Failure::usage(format!("{method} takes exactly one request, found {found}; expected {form}"))
        };
        let request = next().await?.ok_or_else(|| expected("none"))?;
        match next().await? {
            Some(_) => Err(expected("another")),
            None => Ok(request),
        }
    }

    async fn unary(&mut self, request: Request) -> Result<(), Failure> {
        let calling = self.client.channel.unary(self.context()?, request.into_payload());
        let Response { metadata, message, trailers, .. } = self.client.in_time(calling).await?;
        self.output.leading(&metadata);
        self.show(&message).await?;
        self.output.trailing(&trailers);
        Ok(())
    }

    async fn stream(&mut self, requests: Streaming<Payload>) -> Result<(), Failure> {
        let calling = self.client.channel.stream(self.context()?, requests);
        let answer = self.client.in_time(calling).await?;
        self.output.leading(&answer.metadata);
        let mut answers = deadline::bound_stream(self.client.deadline(), answer.into_message());
        if self.schema.shape == Some(Shape::ClientStreaming) {
            let message = body::single(&mut answers).await?;
            self.show(&message).await?;
        }
        while let Some(message) = answers.message().await? {
            self.show(&message).await?;
        }
        self.output.trailing(answers.trailers());
        Ok(())
    }

    fn context(&self) -> Result<Context, Status> {
        let codec = self.schema.form.codec(self.codec)?;
        Ok(self.client.context(self.method.path(), &self.metadata, codec, self.schema.idempotent))
    }
}

#[cfg(test)]
#[cfg(feature = "grpc")]
mod tests;
