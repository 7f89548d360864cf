//! What a node refuses to serve.

mod schemas;

use super::*;
use polywire_core::{Context, Method, Payload, Response, Status, Streaming};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
struct Word {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(uint32, repeated, tag = "2")]
    marks: Vec<u32>,
}

#[polywire_macros::service(package = "words.v1")]
trait Words {
    /// May be asked twice.
    #[rpc(idempotent)]
    async fn read(&self, request: Word) -> Result<Word, Status>;
    /// Says the word again and again.
    async fn repeat(&self, request: Word) -> Result<Streaming<Word>, Status>;
}

struct Silent;

impl Words for Silent {
    async fn read(&self, request: Word) -> Result<Word, Status> {
        Ok(request)
    }

    async fn repeat(&self, request: Word) -> Result<Streaming<Word>, Status> {
        Ok(Streaming::once(request))
    }
}

fn words() -> impl Service {
    WordsServer::new(Silent)
}

/// A layer that passes on calls, and of what is known of them this much.
struct Forgetful<S> {
    inner: S,
    services: bool,
    methods: bool,
}

impl<S: Service> Service for Forgetful<S> {
    async fn unary(&self, cx: Context, message: Payload) -> Result<Response<Payload>, Status> {
        self.inner.unary(cx, message).await
    }

    async fn stream(
        &self,
        cx: Context,
        messages: Streaming<Payload>,
    ) -> Result<Response<Streaming<Payload>>, Status> {
        self.inner.stream(cx, messages).await
    }

    fn method(&self, path: &str) -> Option<&'static Method> {
        self.inner.method(path).filter(|_| self.methods)
    }

    fn services(&self) -> Vec<ServiceInfo> {
        if self.services { self.inner.services() } else { Vec::new() }
    }
}

/// Why a node that is put together so does not start; where it would have listened nothing does.
async fn refusal(builder: NodeBuilder) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.node.data_dir = directory.path().join("data");
    config.transport.grpc.bind_address = ([127, 0, 0, 1], 0).into();
    config.http.bind_address = ([127, 0, 0, 1], 0).into();
    assert!(builder.overview(&config).is_err(), "what would be served is not told either");
    let error = builder.config(config.clone()).bind().await.unwrap_err();
    assert!(!config.node.data_dir.exists(), "it was refused before anything was made");
    error.to_string()
}

#[tokio::test]
async fn a_layer_that_forgets_which_services_it_wraps_is_named() {
    let layer = || Forgetful { inner: words(), services: false, methods: true };
    for builder in [Node::builder().service(layer()), Node::builder().service_with(move |_| layer())] {
        let refusal = refusal(builder).await;
        assert!(refusal.contains("Forgetful<") && refusal.contains("services()"), "{refusal}");
    }
}

#[tokio::test]
async fn a_layer_that_forgets_the_methods_of_its_services_is_named() {
    let layer = Forgetful { inner: words(), services: true, methods: false };
    let refusal = refusal(Node::builder().service(layer)).await;
    assert!(refusal.contains("Forgetful<") && refusal.contains("/words.v1.Words/Read"), "{refusal}");
}

#[tokio::test]
async fn a_service_that_was_added_twice_is_named_with_what_brought_it() {
    let layer = || Forgetful { inner: words(), services: true, methods: true };
    for builder in [
        Node::builder().service(words()).service(layer()),
        Node::builder().service(words()).service_with(move |_| layer()),
    ] {
        let refusal = refusal(builder).await;
        for expected in ["words.v1.Words", "duplicate", "Server<", "Forgetful<"] {
            assert!(refusal.contains(expected), "{refusal}");
        }
    }
}

/// A component with this service.
struct Worded(fn() -> Channel);

impl Component for Worded {
    fn name(&self) -> &'static str {
        "dictionary"
    }

    fn services(&self) -> Vec<Channel> {
        vec![(self.0)()]
    }

    async fn start(&self, _: crate::NodeHandle) -> Result<(), crate::ComponentError> {
        Ok(())
    }
}

#[tokio::test]
async fn what_a_component_brings_is_held_to_the_same() {
    let twice = Node::builder().service(words()).component(|_| Worded(|| Channel::new(words())));
    let refused = refusal(twice).await;
    assert!(refused.contains("words.v1.Words") && refused.contains("dictionary"), "{refused}");
    let layer = || Channel::new(Forgetful { inner: words(), services: false, methods: true });
    let refused = refusal(Node::builder().component(move |_| Worded(layer))).await;
    assert!(refused.contains("dictionary") && refused.contains("services()"), "{refused}");
}

#[tokio::test]
async fn a_service_without_methods_and_one_in_two_versions_are_served() {
    const EMPTY: ServiceInfo = ServiceInfo::new("words.v2.Words", "Nothing yet.", &[]);
    let builder = Node::builder().service(words()).service(polywire_core::Alias::new(EMPTY));
    assert_eq!(builder.overview(&Config::default()).unwrap().len(), 2);
}
