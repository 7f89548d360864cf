//! Callers that prove who they are by a token, and servers that ask for it: a layer at each end.

use polywire::{Channel, Context, Payload, Response, Service, Status, Streaming, layer::Request};
use tower::util::MapRequestLayer;

/// What the servers of this module take.
pub const TOKEN: &str = "open-sesame";

/// Lets calls in that bring `authorization: Bearer TOKEN`: a layer, by [`polywire::layer::wrap`].
#[derive(Debug)]
pub struct Bearer(pub Channel);

impl Bearer {
    fn check(cx: &Context) -> Result<(), Status> {
        let token = cx.metadata().get("authorization").and_then(|value| value.strip_prefix("Bearer "));
        match token {
            Some(TOKEN) => Ok(()),
            Some(_) => Err(Status::unauthenticated("the token is not known here").not_processed()),
            None => Err(Status::unauthenticated("expected `authorization: Bearer TOKEN`").not_processed()),
        }
    }
}

impl Service for Bearer {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        Self::check(&cx)?;
        self.0.unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        Self::check(&cx)?;
        self.0.stream(cx, messages).await
    }
}

/// Puts the token into the metadata of each call.
///
/// # Panics
/// In a call, where the token is not ASCII.
pub fn sending(token: &'static str) -> MapRequestLayer<impl Fn(Request) -> Request + Clone> {
    MapRequestLayer::new(move |mut call: Request| {
        let inserted = call.context.metadata_mut().insert("authorization", format!("Bearer {token}"));
        inserted.expect("an ASCII token");
        call
    })
}
