//! Metadata around a call, and layers around services and clients: one's own, and tower's.

use std::error::Error;

use polywire::{
    Channel, Context, Metadata, Payload, Response, Service, ServiceExt as _, Status, Streaming,
    layer::{self, Request},
};
use tower::{limit::ConcurrencyLimitLayer, util::MapRequestLayer};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Note {
    #[prost(string, tag = "1")]
    pub text: String,
}

#[polywire::service(package = "notes.v1")]
pub trait Notes {
    /// `Response` around the message has metadata before and behind it.
    async fn add(&self, cx: &Context, note: Note) -> Result<Response<Note>, Status>;
}

struct Board;

impl Notes for Board {
    async fn add(&self, cx: &Context, note: Note) -> Result<Response<Note>, Status> {
        let tenant = cx.metadata().get("tenant").unwrap_or("none");
        let mut leading = Metadata::new();
        leading
            .insert("board", format!("board of {tenant}"))
            .map_err(|error| Status::internal(error.to_string()))?;
        let mut trailing = Metadata::new();
        trailing
            .insert_bin("checksum-bin", vec![0xca, 0xfe])
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(note).with_metadata(leading).with_trailers(trailing))
    }
}

/// A layer of one's own is a service around a service: it lets in calls that bring the token.
struct RequireToken {
    inner: Channel,
    token: &'static str,
}

impl RequireToken {
    fn check(&self, cx: &Context) -> Result<(), Status> {
        match cx.metadata().get("authorization") {
            Some(value) if value.strip_prefix("Bearer ") == Some(self.token) => Ok(()),
            // No handler has seen the call, and the caller is told so.
            _ => Err(Status::unauthenticated("expected `authorization: Bearer TOKEN`").not_processed()),
        }
    }
}

impl Service for RequireToken {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.check(&cx)?;
        self.inner.unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.check(&cx)?;
        self.inner.stream(cx, messages).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // On the server: at most 64 calls at a time, and none without the token.
    let server = NotesServer::new(Board)
        .layer(&ConcurrencyLimitLayer::new(64))
        .layer(&layer::wrap(|inner| RequireToken { inner, token: "sesame" }));
    let channel = polywire_examples::over_grpc(server).await?;
    let note = Note { text: "buy milk".into() };

    let refused = NotesClient::new(channel.clone()).add(note.clone()).await.unwrap_err();
    println!("{refused}");

    // On the client: one of tower's layers adds the token to every call.
    let with_token = MapRequestLayer::new(|mut call: Request| {
        call.context.metadata_mut().insert("authorization", "Bearer sesame").expect("an ASCII value");
        call
    });
    let client = NotesClient::new(channel.layer(&with_token));

    // `.response()` gives the metadata too; awaiting the call alone gives the message.
    let response = client.add(note).metadata("tenant", "blue").response().await?;
    println!("{}: {}", response.metadata.get("board").unwrap_or("?"), response.message.text);
    println!("checksum: {:x?}", response.trailers.get_bin("checksum-bin").ok_or("no checksum")?.as_ref());
    Ok(())
}
